"""The resizer's tasks, as they are called at the desk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from invoke.program import Program

import tasks
from resizer import warm

ROOT = Path(tasks.__file__).parent
LOG = ROOT / "tests" / "resizer" / "golden" / "access.log"
Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Called:
    """Calls `invoke`; gives exit code, standard output and standard error."""
    from rich.console import Console

    from fleet import resizer_tasks

    def call(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(tasks, "_stderr", Console(stderr=True, width=200))
        monkeypatch.setattr(resizer_tasks, "_stderr", Console(stderr=True, width=200))
        code = 0
        try:
            Program(namespace=tasks.ns, version="0").run(["invoke", *argv], exit=True)
        except SystemExit as ending:
            code = int(ending.code or 0)
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    monkeypatch.chdir(ROOT)
    return call


def test_urls_are_printed_a_line_each_presets_first(called: Called) -> None:
    code, out, _ = called(
        "resizer.url",
        "a b.jpg",
        "--base=https://x",
        "--options=dpr2,w300",
        "--preset=thumb",
        "--preset=large",
    )
    assert code == 0
    assert out.splitlines() == [
        "https://x/thumb/a%20b.jpg",
        "https://x/large/a%20b.jpg",
        "https://x/unsafe/w600/a%20b.jpg",
    ]


# printf %s w300/a.jpg | openssl dgst -sha256 -hmac 0123456789abcdef -binary | basenc --base64url | tr -d =
def test_a_url_is_signed_with_the_first_word_of_a_file(called: Called, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("0123456789abcdef another\n")
    _, out, _ = called("resizer.url", "a.jpg", "--options=w300", f"--signing-key={tmp_path}/keys", "--json")
    (link,) = json.loads(out)["urls"]
    assert link == "http://127.0.0.1:8300/jiws7usZI32sFm8AjX_oetCYu3z244vs8HK9I4CHdpI/w300/a.jpg"


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["resizer.url", "a.jpg"], "Neither a preset nor options"),
        (["resizer.url", "a.jpg", "--options=w0"], "The option 'w0'"),
        (["resizer.url", "../a.jpg", "--preset=thumb"], "The key '../a.jpg'"),
        (["resizer.url", "a.jpg", "--preset=thumb", "--signing-key=/absent"], "/absent: cannot be read"),
        (["resizer.url", "a.jpg", "--preset=thumb", "--signing-key=/dev/null"], "/dev/null: is empty"),
        (["resizer.stats", "/absent/*.log"], "/absent/*.log: there is no such file"),
        (["resizer.stats", str(ROOT / "README.md")], "is of an access log of ours"),
        (["resizer.stats", str(LOG), "--plot=/absent/a.svg"], "/absent/a.svg: No such file"),
        (["resizer.serve", "--folder=/absent"], "/absent: there is no such folder"),
        (["resizer.warm", "/absent", "--base=http://x", "--preset=thumb"], "/absent: cannot be read"),
        (["resizer.warm", "/absent", "--base=http://x"], "nothing to ask for"),
        (
            ["resizer.warm", "/absent", "--base=http://x", "--preset=thumb", "--at-once=0"],
            "nothing to ask for",
        ),
    ],
)
def test_what_cannot_be_is_an_error_with_the_next_step(called: Called, argv: list[str], error: str) -> None:
    code, out, err = called(*argv)
    assert (code, out) == (1, "")
    assert error in err
    assert "next" in err


def test_logs_are_told_as_a_table_as_json_and_as_a_plot(called: Called, tmp_path: Path) -> None:
    (tmp_path / "access.log.1").write_bytes(LOG.read_bytes())
    (tmp_path / "access.log").write_bytes(LOG.read_bytes())
    code, out, _ = called("resizer.stats", f"{tmp_path}/access.log*")
    assert code == 0
    assert "16 of 3 different results" in out
    assert "50.00% by Apache, 75.00% by the node" in out
    _, out, _ = called(
        "resizer.stats", str(LOG), f"--also={tmp_path}/access.log", f"--plot={tmp_path}/a.svg", "--json"
    )
    assert json.loads(out)["served"] == 16
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own


def test_warming_asks_for_every_preset_and_option_of_every_key(
    called: Called, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def head(link: str) -> warm.Answer:
        asked.append(link)
        return warm.Answer(404, "") if "nobody" in link else warm.Answer(200, "render")

    monkeypatch.setattr(warm, "head", head)
    (tmp_path / "keys").write_text("a.jpg\nnobody.jpg\n")
    argv = ["resizer.warm", f"{tmp_path}/keys", "--base=http://x", "--preset=thumb", "--options=w9,h9,fill"]
    code, out, _ = called(*argv, f"--journal={tmp_path}/done")
    assert code == 2
    assert out.splitlines()[0] == "2 results are there: 2 render"
    assert "404 thumb/nobody.jpg" in out
    assert sorted(asked) == sorted(
        f"http://x/{head}/{key}" for head in ("thumb", "unsafe/w9,h9,fill") for key in ("a.jpg", "nobody.jpg")
    )
    code, out, _ = called(*argv, f"--journal={tmp_path}/done", "--json")
    assert json.loads(out)["skipped"] == 2
