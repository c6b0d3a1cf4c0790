"""Scratch folders: a run's private files on this desk, such as a throwaway key."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aws.desk import Life, birth_of_this, desk, life

_HEAD = "amibake"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the length of a block, open to its owner alone. A killed run's is taken by the sweep."""
    pid, born = birth_of_this()
    # Short, for sockets lie in it; and of the form of a run's id, so that `life` knows it.
    folder = Path(tempfile.gettempdir()) / f"{_HEAD}-{desk()}-{pid}-{born}-{secrets.token_hex(2)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(known: Callable[[str], Life] = life) -> tuple[Path, ...]:
    """The scratch folders of this desk's dead runs."""
    here = sorted(Path(tempfile.gettempdir()).glob(f"{_HEAD}-*-*-*-*"))
    return tuple(each for each in here if known(each.name) is Life.DEAD)
