from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bake.errors import RenderError
from bake.plan import plan
from bake.render import render
from bake.spec import load
from bake.steps.file import File

SPECS = Path(__file__).parents[2] / "bake"
RENDERED = [
    "/etc/tmpfiles.d/resizer.conf",
    "/etc/amibake/templates/resizer.toml",
    "/etc/apache2/conf-enabled/zz-resizer.conf",
    "/etc/apache2/sites-available/resizer.conf",
    "/etc/systemd/system/apache2.service.d/resizer.conf",
    "/etc/systemd/system/resizer-keeper.service",
]


@pytest.mark.parametrize("target", RENDERED)
def test_every_shipped_template_renders_as_reviewed(golden: Callable[[str, str], None], target: str) -> None:
    (step,) = [s for s in plan(load(SPECS / "resizer.toml")) if isinstance(s, File) and s.path == target]
    golden(target.strip("/").replace("/", "_"), step.content.decode())


def test_no_template_goes_without_a_review() -> None:
    assert len(list((SPECS / "templates").glob("*.j2"))) == len(RENDERED)


def test_a_missing_variable_is_named_with_its_line_and_the_known_ones(tmp_path: Path) -> None:
    template = tmp_path / "a.j2"
    template.write_text("one\n{{ known }}\n{{ absent }}\n")
    with pytest.raises(RenderError, match=r"a\.j2:3: `absent` is not defined") as caught:
        render(template, {"known": 1, "other": 2})
    assert "known, other" in caught.value.hint


def test_a_template_that_cannot_be_read_as_one_names_its_line(tmp_path: Path) -> None:
    template = tmp_path / "a.j2"
    template.write_text("fine\n{% if %}\n")
    with pytest.raises(RenderError, match=r"a\.j2:2:"):
        render(template, {})


def test_the_last_newline_stays(tmp_path: Path) -> None:
    template = tmp_path / "a.j2"
    template.write_text("{{ x }}\n")
    assert render(template, {"x": "<&>"}) == "<&>\n"
