from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bake.errors import LockError
from bake.lock import Target, digest, parse
from bake.wheels import download_argv, wheelhouse

LOCKS = Path(__file__).parents[2] / "bake" / "locks"
TEXT = f"Six==1.17.0 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
TARGET = Target("3.13", "x86_64")


class Pip:
    """A pip that writes one wheel, or fails."""

    def __init__(self, code: int = 0) -> None:
        self.code, self.calls = code, 0

    def __call__(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        Path(argv[argv.index("--dest") + 1], "six.whl").write_text("wheel")
        return subprocess.CompletedProcess(argv, self.code, "", "no such wheel")


def test_a_lock_is_read_with_its_hashes() -> None:
    (six,) = parse(TEXT).requirements
    assert (six.name, six.version, six.hashes) == ("six", "1.17.0", ("a" * 64, "b" * 64))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("six==1.17.0\n", "six 1.17.0 has no --hash"),
        (f"six>=1 --hash=sha256:{'a' * 64}\n", "`six>=1` is not a requirement pinned"),
        ("--index-url https://example.org\n", "`--index-url` is not a requirement"),
        ("# nothing\n", "locks nothing"),
    ],
)
def test_an_unsafe_lock_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(LockError, match=words):
        parse(text, "x.txt")


@pytest.mark.parametrize("name", ["bootstrap", "resizer"])
def test_the_shipped_locks_are_safe_and_name_no_index(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text()
    assert "boto3" in {each.name for each in parse(text).requirements}
    assert [word for word in ("://", "index", " /") if word in text] == []


def test_pip_is_asked_for_the_machines_wheels_not_ours() -> None:
    argv = download_argv(Path("lock.txt"), Target("3.13", "arm64"), Path("out"))
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "manylinux_2_28_aarch64", "cp313"} <= set(
        argv
    )
    assert [word for word in argv if "x86_64" in word] == []


def test_wheels_are_fetched_once(tmp_path: Path) -> None:
    pip, lock = Pip(), parse(TEXT)
    first = wheelhouse(lock, TARGET, tmp_path, pip)
    assert wheelhouse(lock, TARGET, tmp_path, pip) == first
    assert (pip.calls, [path.name for path in first.iterdir()]) == (1, ["six.whl"])


def test_a_failed_fetch_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"no wheels for Python 3\.13, x86_64\n    no such wheel"):
        wheelhouse(parse(TEXT), TARGET, tmp_path, Pip(1))
    assert list(tmp_path.iterdir()) == []


def test_another_target_has_other_wheels() -> None:
    assert digest(parse(TEXT), TARGET) != digest(parse(TEXT), Target("3.13", "arm64"))
