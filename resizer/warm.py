"""Warming: results are made before anybody asks for them, by asking for them.

Any number of keys, a bounded number of requests at a time, and a journal of what has been done: the same
command again goes on where it was.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

from resizer.errors import BadAddressError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TRIES = 4  # of a node that is full; it says when to come back
_MOST_SHOWN = 20
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What a node said: its status (0: it did not answer), X-Resizer, and when to come back, in seconds."""

    status: int
    state: str
    retry_after: float = 0.0


@dataclass(frozen=True)
class Warmed:
    """What was done: results by where they came from, those skipped by the journal, and those that failed."""

    by_state: dict[str, int]
    skipped: int
    failed: int
    failures: tuple[str, ...]

    @property
    def done(self) -> int:
        """Return how many results are there now."""
        return sum(self.by_state.values()) + self.skipped


def head(url: str) -> Answer:
    """Ask for a result without its bytes; a node makes it all the same."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, answer.headers.get("X-Resizer", ""))
    except urllib.error.HTTPError as refused:
        refused.close()
        after = refused.headers.get("Retry-After", "")
        return Answer(refused.code, "", float(after) if after.isdecimal() else 1.0)
    except (OSError, ValueError):
        return Answer(0, "", 1.0)


def keys(file: Path) -> Iterator[str]:
    """Yield the keys of a file, one a line, empty lines left out. Raises ToolError."""
    try:
        with file.open(encoding="utf-8") as stream:
            yield from (line.rstrip("\r\n") for line in stream if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(
            f"{file}: cannot be read: {error}", "Give a file of keys in UTF-8, one a line."
        ) from error


class Journal:
    """The names of what has been done, in a file that only grows; without a path it is forgotten."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._done: set[str] = set()

    def __enter__(self) -> Self:
        if self._path:
            try:
                self._file = self._path.open("a+", encoding="utf-8")
            except OSError as error:
                raise ToolError(
                    f"{self._path}: {error.strerror}", "Name a file that can be written."
                ) from error
            self._take(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def _take(self, file: TextIO) -> None:
        file.seek(0)
        whole = 0
        for line in iter(file.readline, ""):
            # One without an end was being written when the machine stopped: it goes, and is done again.
            if line.endswith("\n"):
                self._done.add(line.rstrip("\n"))
                whole = file.tell()
        file.truncate(whole)

    def __contains__(self, name: str) -> bool:
        return name in self._done

    def add(self, name: str) -> None:
        """Note that this has been done."""
        if self._file:
            self._file.write(f"{name}\n")
            self._file.flush()


class Warmer:
    """Asks for results, `at_once` at a time; `tell` hears of each that is finished."""

    def __init__(
        self,
        fetch: Callable[[str], Answer],
        at_once: int,
        tell: Callable[[int], Any] = lambda _: None,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._fetch = fetch
        self._at_once = at_once
        self._tell = tell
        self._sleep = sleep

    def run(self, wanted: Iterable[tuple[str, Callable[[], str]]], journal: Journal) -> Warmed:
        """Ask for all `wanted`, names with what makes their URL, that the journal does not have."""
        tally = _Tally(journal, self._tell)
        with ThreadPoolExecutor(self._at_once) as pool:
            under_way: dict[Future[Answer], str] = {}
            try:
                for name, url in wanted:
                    if name in journal:
                        tally.skip()
                        continue
                    under_way[pool.submit(self._ask, url)] = name
                    if len(under_way) >= 2 * self._at_once:
                        tally.settle(under_way, FIRST_COMPLETED)
                tally.settle(under_way)
            except BaseException:
                for future in under_way:
                    future.cancel()
                raise
        return tally.warmed()

    def _ask(self, url: Callable[[], str]) -> Answer:
        try:
            target = url()
        except BadAddressError:
            return Answer(400, "")
        for tried in range(TRIES):
            answer = self._fetch(target)
            if answer.status not in {0, 502, 503, 504} or tried == TRIES - 1:
                break
            self._sleep(answer.retry_after)
        return answer


class _Tally:
    def __init__(self, journal: Journal, tell: Callable[[int], Any]) -> None:
        self._journal = journal
        self._tell = tell
        self._states: Counter[str] = Counter()
        self._skipped = 0
        self._failures: list[str] = []
        self._failed = 0

    def skip(self) -> None:
        self._skipped += 1
        self._tell(1)

    def settle(self, under_way: dict[Future[Answer], str], until: str = "ALL_COMPLETED") -> None:
        finished, _ = wait(under_way, return_when=until)
        for future in finished:
            self._count(under_way.pop(future), future.result())

    def _count(self, name: str, answer: Answer) -> None:
        if answer.status == 200:
            self._states[answer.state or "unknown"] += 1
            self._journal.add(name)
        else:
            self._failed += 1
            if len(self._failures) < _MOST_SHOWN:
                self._failures.append(f"{answer.status or 'no answer'} {name}")
        self._tell(1)

    def warmed(self) -> Warmed:
        return Warmed(dict(sorted(self._states.items())), self._skipped, self._failed, tuple(self._failures))
