from __future__ import annotations

from pathlib import Path

import pytest

from aws.desk import Life, life
from aws.scratch import abandoned, scratch


def test_a_scratch_folder_is_its_owners_alone_and_goes_with_the_block(scratch_place: Path) -> None:
    def cut_short() -> None:
        with scratch() as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "key").write_text("secret")
            raise EOFError

    with pytest.raises(EOFError):
        cut_short()
    assert list(scratch_place.iterdir()) == []


def test_a_living_runs_folder_is_not_abandoned(scratch_place: Path) -> None:
    with scratch() as folder:
        assert life(folder.name) is Life.ALIVE
        assert abandoned() == ()


def test_a_dead_runs_folder_is_and_one_that_is_not_ours_never(scratch_place: Path) -> None:
    (scratch_place / "amibake-tests-0.lock").touch()
    (scratch_place / "amibake-of-some-other-make").mkdir()
    with scratch() as folder:
        desk, pid, _, last = folder.name.split("-")[1:]
        dead = scratch_place / f"amibake-{desk}-{pid}-ffffff-{last}"
        dead.mkdir()
        assert abandoned() == (dead,)
