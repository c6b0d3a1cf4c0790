r"""The access log: JSON lines, as Apache's LogFormat writes them.

Apache escapes what clients say in C's way, not in JSON's: `\xc3` for a byte beyond ASCII, `\v`. Such escapes
are mended before a line is read.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from resizer.address import UNSIGNED
from resizer.errors import ToolError
from resizer.signature import looks_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = ("apache", "disk", "s3", "render", "shared")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|v|(.))", re.DOTALL)
_JSON_ESCAPES = frozenset(b'"\\/bfnrtu')


@dataclass(frozen=True)
class Entry:
    """One request. `minute` counts since 1970, `micros` is its duration, `state` is of STATES or empty."""

    minute: int
    path: str
    status: int
    size: int
    micros: int
    state: str

    @property
    def name(self) -> str:
        """Return what was asked for, whoever signed it: `{options}/{key}` or `{preset}/{key}`."""
        first, _, rest = self.path.removeprefix("/").partition("/")
        return rest if looks_signed(first) or first == UNSIGNED else f"{first}/{rest}"

    @property
    def key(self) -> str:
        """Return the original's key."""
        return self.name.partition("/")[2]


def entry(line: bytes) -> Entry | None:
    """Read one line; None if it is none of ours."""
    try:
        found = json.loads(_ESCAPE.sub(_mended, line) if b"\\" in line else line)
        return _entry(found)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _entry(found: dict[str, Any]) -> Entry:
    state = found["state"]
    return Entry(
        minute=int(datetime.fromisoformat(found["time"]).timestamp()) // 60,
        path=_text(found["path"]),
        status=int(found["status"]),
        size=int(found["bytes"]),
        micros=max(0, int(found["us"])),
        state=state if state in STATES else "",
    )


def _text(path: str) -> str:
    """Return a path as text; from Apache it comes with one character for each byte."""
    try:
        return path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return path


def _mended(match: re.Match[bytes]) -> bytes:
    byte, other = match[1], match[2]
    if byte is not None:
        return b"\\u00" + byte
    if other is None:
        return b"\\u000b"
    return match[0] if other[0] in _JSON_ESCAPES else b"\\\\" + other


def entries(log: Path) -> Iterator[Entry | None]:
    """Yield a log's entries one by one, and None for each line that is none; `-` is standard input.

    Logs that end in .gz are unpacked on the way. Raises ToolError if the log cannot be read.
    """
    try:
        with _opened(log) as stream:
            for line in stream:
                yield entry(line)
    except (OSError, EOFError) as error:
        raise ToolError(
            f"{log}: cannot be read: {error}", "Name an access log of a node, or - for a pipe."
        ) from error


@contextmanager
def _opened(log: Path) -> Iterator[BinaryIO]:
    if str(log) == "-":
        yield sys.stdin.buffer
        return
    with cast("BinaryIO", gzip.open(log)) if log.suffix == ".gz" else log.open("rb") as stream:
        yield stream
