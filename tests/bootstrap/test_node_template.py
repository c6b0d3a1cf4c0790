from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bake.render import render
from bootstrap.errors import TemplateError
from bootstrap.settings import load
from bootstrap.template import fill
from bootstrap.values import value_of
from resizer.config import read

ROOM = Path(__file__).parent
FILES = ROOM.parents[1] / "bake" / "templates"


def test_a_name_is_filled_raw_or_quoted() -> None:
    assert fill("${A} = ${B:toml}\n", {"A": "a b", "B": 'say "x"'}) == 'a b = "say \\"x\\""\n'


def test_two_dollars_are_one() -> None:
    assert fill("costs 5$$ ${A}\n", {"A": "$"}) == "costs 5$ $\n"


def test_a_value_is_never_filled_again() -> None:
    assert fill("${A}", {"A": "${B}", "B": "b"}) == "${B}"


def test_a_line_with_an_ignored_input_is_left_out() -> None:
    assert fill("a = 1\nb = ${B:toml}\nc = 3\n", {"B": None}) == "a = 1\nc = 3\n"


def test_a_blank_input_is_an_empty_string() -> None:
    assert fill("b = ${B:toml}\n", {"B": ""}) == 'b = ""\n'


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("x\n${NOPE}", "line 2: NOPE is no declared input"),
        ("${A:yaml}", "line 1: yaml is no quoting, use toml"),
        ("5$", "line 1: a stray \\$"),
        ("$A", "line 1: a stray \\$"),
        ("${A", "line 1: a stray \\$"),
    ],
)
def test_what_cannot_be_filled_is_named_by_line(template: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        fill(template, {"A": "a"})


def test_one_message_names_all_faults() -> None:
    with pytest.raises(TemplateError, match="line 1: B is no declared input; line 2: C is no declared input"):
        fill("${B}\n${C}\n", {})


def test_every_character_survives_toml() -> None:
    value = "".join(chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000)
    assert tomllib.loads(fill("a = ${A:toml}", {"A": value})) == {"a": value}


def test_the_resizers_template_renders_with_its_own_settings() -> None:
    declared = load(FILES / "resizer-bootstrap.toml").inputs
    values = {each.name: value_of(each.default or "ignore", {}, pytest.fail) for each in declared}
    baked = tomllib.loads((FILES.parent / "resizer.toml").read_text())["vars"]
    template = render(FILES / "resizer-node.toml.j2", baked)
    filled = fill(template, {**values, "BUCKET": "photos"})
    assert filled == (ROOM / "golden" / "resizer.toml").read_text()


def test_the_resizer_reads_what_its_template_renders() -> None:
    config = read(ROOM / "golden" / "resizer.toml")
    assert (config.bucket, config.prefix, config.results_prefix) == ("photos", "", "resized")
    assert config.cache_dir == Path("/var/cache/resizer")


def test_every_setting_that_a_node_may_be_given_reaches_the_resizer(tmp_path: Path) -> None:
    given: dict[str, tuple[str, object]] = {
        "BUCKET": ("photos", "photos"),
        "PREFIX": ("originals", "originals"),
        "RESULTS_PREFIX": ("sizes", "sizes"),
        "PRESETS": ("tiny=w20 small=w40", {"tiny": "w20", "small": "w40"}),
        "PRESETS_ONLY": ("true", True),
        "SIGNING_KEYS": ("sixteen-letters-1 sixteen-letters-2", ("sixteen-letters-1", "sixteen-letters-2")),
        "UNSIGNED": ("true", True),
        "FORMATS": ("jpeg png", ("jpeg", "png")),
        "MAX_PIXELS": ("1000000", 1_000_000),
        "MAX_ORIGINAL_BYTES": ("2000000", 2_000_000),
        "MAX_FRAMES": ("3", 3),
        "DECODE_SECONDS": ("4", 4),
        "QUALITY": ("55", 55),
        "FALLBACK": ("/opt/fallback.png", Path("/opt/fallback.png")),
        "ALLOW_ORIGINS": ("https://a.example", ("https://a.example",)),
        "TIMING_ALLOW_ORIGINS": ("*", ("*",)),
        "CACHE_MAX_BYTES": ("5000000", 5_000_000),
    }
    declared = {each.name for each in load(FILES / "resizer-bootstrap.toml").inputs}
    # These two are AWS's own words, in the daemons' ~/.aws/config.
    assert set(given) == declared - {"AWS_REGION", "AWS_ENDPOINT_URL"}
    baked = tomllib.loads((FILES.parent / "resizer.toml").read_text())["vars"]
    file = tmp_path / "resizer.toml"
    file.write_text(
        fill(render(FILES / "resizer-node.toml.j2", baked), {name: text for name, (text, _) in given.items()})
    )
    config = read(file)
    assert {name: getattr(config, name.lower()) for name in given} == {
        name: value for name, (_, value) in given.items()
    }
