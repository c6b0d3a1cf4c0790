"""The wire: answers are read to their end, connections are kept, and one that has ended is not trusted."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from resizer.wire import Answer, CutError, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASK = b"GET / HTTP/1.1\r\n\r\n"
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: "x"\r\n\r\nabc'


def agreed(_: Answer) -> None:
    """Admit everything."""


class Server:
    """Answers each request of a connection with what the connection's script has next; then hangs up."""

    def __init__(self) -> None:
        self.scripts: list[list[bytes]] = []
        self.asked: list[bytes] = []
        self._ours: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def dial(self) -> socket.socket:
        near, far = socket.socketpair()
        near.settimeout(5)
        self._ours.append(far)
        thread = threading.Thread(target=self._serve, args=(far, self.scripts.pop(0)))
        thread.start()
        self._threads.append(thread)
        return near

    def _serve(self, far: socket.socket, script: list[bytes]) -> None:
        with far, contextlib.suppress(BrokenPipeError):
            for answer in script:
                self.asked.append(far.recv(1 << 16))
                for byte in range(0, len(answer), 7):
                    far.sendall(answer[byte : byte + 7])

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.finish()


def test_an_answer_has_its_status_headers_and_body(server: Server) -> None:
    server.scripts = [[OK]]
    answer = Wire(server.dial).exchange(ASK, agreed)
    assert answer == Answer(200, {"content-length": "3", "etag": '"x"'}, b"abc")
    assert server.asked == [ASK]


def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    server.scripts = [[OK, OK, OK]]
    wire = Wire(server.dial)
    assert [wire.exchange(ASK, agreed).body for _ in range(3)] == [b"abc"] * 3


def test_a_body_may_come_in_chunks(server: Server) -> None:
    chunked = (
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n<Co\n\r\n2\r\nde\r\n0\r\n\r\n"
    )
    server.scripts = [[chunked, OK]]
    wire = Wire(server.dial)
    assert wire.exchange(ASK, agreed).body == b"<Co\nde"
    assert wire.exchange(ASK, agreed).body == b"abc"


def test_an_answer_without_a_body_ends_with_its_head(server: Server) -> None:
    server.scripts = [[b"HTTP/1.1 204 No Content\r\n\r\n", OK]]
    wire = Wire(server.dial)
    assert wire.exchange(ASK, agreed) == Answer(204, {})
    assert wire.exchange(ASK, agreed).body == b"abc"


def test_what_a_server_closes_is_not_used_again(server: Server) -> None:
    server.scripts = [[OK.replace(b"ETag", b"Connection: close\r\nETag")], [OK]]
    wire = Wire(server.dial)
    assert [wire.exchange(ASK, agreed).body for _ in range(2)] == [b"abc"] * 2


def test_a_kept_connection_that_has_ended_meanwhile_is_replaced(server: Server) -> None:
    server.scripts = [[OK], [OK]]
    wire = Wire(server.dial)
    wire.exchange(ASK, agreed)
    server.finish()
    assert wire.exchange(ASK, agreed).body == b"abc"


def test_a_kept_connection_that_ends_instead_of_answering_is_replaced_too(server: Server) -> None:
    server.scripts = [[OK, b""], [OK]]
    wire = Wire(server.dial)
    wire.exchange(ASK, agreed)
    assert wire.exchange(ASK, agreed).body == b"abc"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        OK[:-1],
        OK[:30],
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 12_000,
    ],
)
def test_what_is_not_understood_is_said_to_be_cut(server: Server, answer: bytes) -> None:
    server.scripts = [[answer], [OK]]
    wire = Wire(server.dial)
    with pytest.raises((CutError, ConnectionError)):
        wire.exchange(ASK, agreed)
    assert wire.exchange(ASK, agreed).body == b"abc"


def test_who_refuses_an_answer_by_its_head_does_not_read_its_body(server: Server) -> None:
    server.scripts = [[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc"], [OK]]
    wire = Wire(server.dial)

    def refuse(head: Answer) -> None:
        raise ValueError(head.headers["content-length"])

    with pytest.raises(ValueError, match="99999999999"):
        wire.exchange(ASK, refuse)
    assert wire.exchange(ASK, agreed).body == b"abc"


def test_a_server_that_says_nothing_is_given_up() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0.01)
        dial: Callable[[], socket.socket] = lambda: near  # noqa: E731
        with pytest.raises(TimeoutError):
            Wire(dial).exchange(ASK, agreed)
