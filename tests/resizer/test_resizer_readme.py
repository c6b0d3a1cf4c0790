"""README tells every option, every error, every preset and every key of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from resizer.config import keys, table
from resizer.errors import RefusalError
from resizer.options import Options
from resizer.presets import SHIPPED
from resizer.spelling import WIDEST, WORDS, parse

README = (Path(__file__).parents[2] / "resizer" / "README.md").read_text(encoding="utf-8")


def column(section: str, number: int) -> set[str]:
    """What stands between backquotes in a column of the first table of a section."""
    rows = re.search(rf"^#+ {section}\n.*?((?:^\|[^\n]*\n)+)", README, re.MULTILINE | re.DOTALL)
    assert rows, section
    cells = [row.split(" | ")[number] for row in rows[1].splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def refusals(root: type[RefusalError] = RefusalError) -> Iterator[type[RefusalError]]:
    for one in root.__subclasses__():
        yield one
        yield from refusals(one)


def test_every_option_is_told_and_valid() -> None:
    told = column("Options", 0)
    modes = {"fit", "fill", "pad", "crop", "smart"}
    for example in told - modes:
        assert parse(example, WIDEST) != Options(), example
    fields = {word.field for example in told for word in WORDS if word.pattern.fullmatch(example)}
    assert fields == {word.field for word in WORDS}
    assert modes <= told


def test_every_error_is_told_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (`.*?`) \|", README, re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {(one.status, one.code) for one in refusals()}


def test_the_shipped_presets_are_told() -> None:
    assert dict(re.findall(r'^(\w+) = "(w[^"]*)"$', README, re.MULTILINE)) == SHIPPED


def test_the_table_of_the_configuration_is_that_of_the_code() -> None:
    assert table() in README
    assert column("Configuration", 0) == {key for key, _, _ in keys()}
