"""Eviction: when the cache's disk fills up, what has not been used for longest goes.

The tree is walked one shard (one of 256 folders) at a time, so that nothing grows with the number of files
but the time it takes. A first walk weighs what there is by its age of use; from that follows the age above
which files go, so that the second walk ends near the low water mark. Removing a file while Apache sends it
is safe: it goes when the last reader closes it.

All results of a key lie in one folder. Whoever may choose sizes freely can ask for so many of one key that
its folder alone would grow slow; of such a folder the least used go, however much space there is.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resizer.wholefile import TEMPORARY_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Upper ends of the classes of age, in seconds: four to each doubling, from a minute to some years.
_AGES = tuple(60 * 2 ** (step / 4) for step in range(84))
_STALE_SECONDS = 3600  # a temporary file of this age belongs to nobody any more
_CROWDED_FILES = 4000  # of a folder; one of 65,536 reaches it by itself with some 260 million results
_UNCROWDED_FILES = 2000


@dataclass(frozen=True)
class Budget:
    """How full the cache may be: shares of its file system and, unless 0, bytes of its own."""

    high_percent: int
    low_percent: int
    max_bytes: int = 0


class Usage(NamedTuple):
    """What a walk has counted."""

    files: int
    bytes: int


class File(NamedTuple):
    """A file of the cache: its size on the disk, when it was last used and came, whether it is too many."""

    path: str
    bytes: int
    used: float
    came: float
    surplus: bool = False


def shards(root: Path) -> Iterator[str]:
    """Yield the paths of the 256 folders, as far as they exist."""
    for number in range(256):
        path = f"{root}/{number:02x}"
        if os.path.isdir(path):  # noqa: PTH112 - a million files: plain strings
            yield path


def files(shard: str) -> Iterator[File]:
    """Yield the files of a shard; those that vanish meanwhile are passed over."""
    for folder, _, names in os.walk(shard):
        if len(names) <= _CROWDED_FILES:
            yield from _described(folder, names)
        else:
            # The times alone are held, and not the files: there may be any number of them.
            used = sorted(file.used for file in _described(folder, names))
            kept_since = used[-_UNCROWDED_FILES:][0] if used else 0.0
            for file in _described(folder, names):
                yield file._replace(surplus=file.used < kept_since)


def _described(folder: str, names: list[str]) -> Iterator[File]:
    for name in names:
        path = f"{folder}/{name}"
        with contextlib.suppress(OSError):
            state = os.stat(path)  # noqa: PTH116
            # Reading moves atime (once a day under relatime), everything but reading moves ctime.
            yield File(path, state.st_blocks * 512, max(state.st_atime, state.st_ctime), state.st_ctime)


def excess(root: Path, budget: Budget, used: Usage) -> tuple[int, int]:
    """Return how many bytes and how many files have to go; (0, 0) below the high water marks."""
    state = os.statvfs(root)
    bytes_over = _over(state.f_blocks - state.f_bfree, state.f_blocks, budget) * state.f_frsize
    files_over = _over(state.f_files - state.f_ffree, state.f_files, budget)
    if budget.max_bytes and used.bytes > budget.max_bytes * budget.high_percent // 100:
        bytes_over = max(bytes_over, used.bytes - budget.max_bytes * budget.low_percent // 100)
    return bytes_over, files_over


def _over(used: int, total: int, budget: Budget) -> int:
    if not total or used * 100 < total * budget.high_percent:
        return 0
    return used - total * budget.low_percent // 100


class Ages:
    """Bytes and files by age of use."""

    def __init__(self) -> None:
        self._bytes = [0] * (len(_AGES) + 1)
        self._files = [0] * (len(_AGES) + 1)

    def add(self, file: File, now: float) -> None:
        """Count a file."""
        at = bisect_left(_AGES, now - file.used)
        self._bytes[at] += file.bytes
        self._files[at] += 1

    @property
    def usage(self) -> Usage:
        """Return the sums."""
        return Usage(sum(self._files), sum(self._bytes))

    def sentence(self, bytes_over: int, files_over: int) -> Sentence:
        """Return which ages have to go for so much to be freed."""
        for at in range(len(_AGES), 0, -1):
            bytes_over -= self._bytes[at]
            files_over -= self._files[at]
            if bytes_over <= 0 and files_over <= 0:
                above = _AGES[at] if at < len(_AGES) else float("inf")
                return Sentence(
                    above, _AGES[at - 1], bytes_over + self._bytes[at], files_over + self._files[at]
                )
        return Sentence(_AGES[0], 0.0, bytes_over, files_over)


class Sentence(NamedTuple):
    """All files above one age go, and of those above the other as many as free so many bytes and files."""

    all_above: float
    some_above: float
    bytes: int
    files: int


class Cleaner:
    """Walks a cache; `rest` is called between shards, with the seconds the last one took."""

    def __init__(
        self, root: Path, budget: Budget, rest: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._root = root
        self._budget = budget
        self._rest = rest
        self._clock = clock

    def clean(self, oldest: float = 0.0) -> tuple[Usage, Usage]:
        """Remove what came before `oldest`, what was left half written, and the least used if space is short.

        Returns what there is then, and what has gone.
        """
        ages, expired = self._weigh(oldest)
        bytes_over, files_over = excess(self._root, self._budget, ages.usage)
        if not (bytes_over or files_over):
            return ages.usage, expired
        gone = self._evict(ages.sentence(bytes_over, files_over))
        left = Usage(ages.usage.files - gone.files, ages.usage.bytes - gone.bytes)
        return left, Usage(gone.files + expired.files, gone.bytes + expired.bytes)

    def is_full(self) -> bool:
        """Tell whether the file system is above a high water mark; costs one system call."""
        try:
            return excess(self._root, self._budget, Usage(0, 0)) != (0, 0)
        except OSError:
            return False

    def _weigh(self, oldest: float) -> tuple[Ages, Usage]:
        ages, count, freed = Ages(), 0, 0
        for file in self._walk():
            now = self._clock()
            torn = os.path.basename(file.path).startswith(TEMPORARY_PREFIX)  # noqa: PTH119
            stale = now - file.came > _STALE_SECONDS if torn else file.surplus or file.came < oldest
            if stale:
                count, freed = count + _remove(file.path), freed + file.bytes
            else:
                ages.add(file, now)
        return ages, Usage(count, freed)

    def _evict(self, sentence: Sentence) -> Usage:
        count = freed = some_count = some_freed = 0
        for file in self._walk():
            age = self._clock() - file.used
            if age >= sentence.all_above:
                count, freed = count + _remove(file.path), freed + file.bytes
            elif age >= sentence.some_above and (some_freed < sentence.bytes or some_count < sentence.files):
                some_count, some_freed = some_count + _remove(file.path), some_freed + file.bytes
        return Usage(count + some_count, freed + some_freed)

    def _walk(self) -> Iterator[File]:
        for shard in shards(self._root):
            begun = self._clock()
            yield from files(shard)
            self._rest(self._clock() - begun)


def _remove(path: str) -> int:
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return 0
    return 1
