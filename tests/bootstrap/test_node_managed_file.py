from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

import pytest

from bootstrap.errors import FileError
from bootstrap.managed_file import ManagedFile, draft_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ME = pwd.getpwuid(os.getuid()).pw_name
OURS = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[[str], ManagedFile]:
    return lambda content: ManagedFile(tmp_path / "x.toml", content, 0o640, ME, OURS)


def test_an_absent_file_is_written_with_its_mode(wanted: Callable[[str], ManagedFile]) -> None:
    file = wanted("a\n")
    assert file.ensure() == f"wrote {file.path}"
    assert file.path.read_text() == "a\n"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640


def test_a_file_as_wanted_is_not_touched(wanted: Callable[[str], ManagedFile]) -> None:
    file = wanted("a\n")
    file.ensure()
    before = file.path.stat()
    assert file.ensure() == ""
    assert (file.path.stat().st_ino, file.path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_differs_is_said(wanted: Callable[[str], ManagedFile]) -> None:
    wanted("a\n").ensure()
    file = wanted("b\n")
    file.path.chmod(0o666)
    assert file.ensure() == f"rewrote {file.path} (content, mode)"
    assert file.differences() == []


def test_a_link_in_its_place_is_replaced_not_followed(
    tmp_path: Path, wanted: Callable[[str], ManagedFile]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("a\n")
    file = wanted("a\n")
    file.path.symlink_to(victim)
    assert file.ensure() == f"rewrote {file.path} (mode)"
    assert not file.path.is_symlink()
    assert stat.S_IMODE(victim.stat().st_mode) != 0o640


@pytest.mark.parametrize(("directory", "owner"), [("absent", ME), (".", "no-such-user")])
def test_what_the_machine_refuses_is_one_error_with_a_next_step(
    tmp_path: Path, directory: str, owner: str
) -> None:
    with pytest.raises(FileError, match="cannot be written") as caught:
        ManagedFile(tmp_path / directory / "x", "", 0o644, owner, OURS).ensure()
    assert caught.value.hint


def test_a_draft_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), draft_of(path):
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
