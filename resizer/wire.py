"""HTTP/1.1 to one server over connections that are kept: a request out, its answer in, nothing around it."""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_HEAD_BYTES = 1 << 16
_AT_ONCE_BYTES = 1 << 18
_NOTHING_FOLLOWS = frozenset({204, 304})


class CutError(Exception):
    """The connection ended in the middle, or what came is not understood; the request may be sent again."""


@dataclass(frozen=True)
class Answer:
    """What a server said; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Wire:
    """Connections to one server, made by `dial` as they are needed; threads may share it."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial
        self._idle: list[_Line] = []

    def exchange(self, request: bytes, admit: Callable[[Answer], None]) -> Answer:
        """Send a request and return its answer; `admit` may refuse it by its head, before its body is read.

        A request must do no harm when sent twice: a kept connection may turn out to be closed already.
        Raises CutError, OSError, and what `admit` raises.
        """
        line = self._kept()
        if line is not None:
            with contextlib.suppress(CutError, ConnectionError):
                return self._asked(line, request, admit)
        return self._asked(_Line(self._dial()), request, admit)

    def _kept(self) -> _Line | None:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread may be quicker
                line = self._idle.pop()
                if line.is_quiet():
                    return line
                line.close()
        return None

    def _asked(self, line: _Line, request: bytes, admit: Callable[[Answer], None]) -> Answer:
        try:
            answer = line.exchange(request, admit)
        except BaseException:
            line.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            line.close()
        else:
            self._idle.append(line)
        return answer


class _Line:
    """One connection, and what has come over it but was not yet asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ahead = b""
        self.close = connection.close

    def is_quiet(self) -> bool:
        """Tell whether nothing has come unasked, such as the end."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return not poll.poll(0)

    def exchange(self, request: bytes, admit: Callable[[Answer], None]) -> Answer:
        self._connection.sendall(request)
        status, headers = self._head()
        admit(Answer(status, headers))
        if status in _NOTHING_FOLLOWS:
            return Answer(status, headers)
        return Answer(status, headers, self._body(headers))

    def _head(self) -> tuple[int, dict[str, str]]:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdecimal() or rest[0] == "1":
            raise CutError(f"an answer begins with {first!a}")
        pairs = (line.partition(":") for line in lines)
        return int(rest[:3]), {name.lower(): value.strip() for name, _, value in pairs}

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise CutError("an answer does not tell its length")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        parts = []
        while size := self._size_of_chunk():
            parts.append(self._exactly(size))
            self._until(b"\r\n")
        while self._until(b"\r\n"):
            pass
        return b"".join(parts)

    def _size_of_chunk(self) -> int:
        told = self._until(b"\r\n").partition(b";")[0].strip()
        try:
            return int(told, 16)
        except ValueError as error:
            raise CutError(f"a chunk's size is {told!a}") from error

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._ahead:
            if len(self._ahead) > _MOST_HEAD_BYTES:
                raise CutError("a head has no end")
            self._ahead += self._some(_MOST_HEAD_BYTES)
        found, _, self._ahead = self._ahead.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        parts, self._ahead = [self._ahead[:count]], self._ahead[count:]
        left = count - len(parts[0])
        while left:
            parts.append(self._some(min(left, _AT_ONCE_BYTES)))
            left -= len(parts[-1])
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        some = self._connection.recv(most)
        if not some:
            raise CutError("the connection ended in the middle of an answer")
        return some
