"""One question to one DNS server over UDP: what a name leads to, and for how long that may be kept.

Which server is asked matters here, and the system's resolver does not let us choose.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

_A, _CNAME, _IN = 1, 5, 1
_RECURSE = 0x0100
_POINTER = 0xC0
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!2HIH")
_TIMEOUT_SECONDS = 2.0
_TRIES = 2
_CODES = {0: "", 1: "malformed question", 2: "server failure", 3: "no such name", 5: "refused"}
_MOST_JUMPS = 64
_SHORT = "the answer is cut short"


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    server: str
    names: tuple[str, ...] = ()
    """The CNAMEs on the way, in order."""
    addresses: tuple[str, ...] = ()
    ttl_seconds: int = 0
    """The shortest on the way: so long a client may keep it."""
    failure: str = ""


def ask(server: str, name: str, port: int = 53) -> Answer:
    """Ask for a name's addresses; a server that does not answer is told as a failure."""
    number = secrets.randbits(16)
    failure = "no answer"
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(_TIMEOUT_SECONDS)
            try:
                sock.connect((server, port))
                sock.send(question(number, name))
                return answer(server, number, sock.recv(4096))
            except TimeoutError:
                continue
            except (OSError, ValueError) as why:
                failure = str(why)
    return Answer(server, failure=failure)


def question(number: int, name: str) -> bytes:
    """A question for a name's IPv4 addresses, as it travels."""
    labels = b"".join(bytes([len(one)]) + one.encode("ascii") for one in name.rstrip(".").split("."))
    return _HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", _A, _IN)


def answer(server: str, number: int, packet: bytes) -> Answer:
    """What a server's packet says. Raises ValueError when it is no answer to that question."""
    if len(packet) < _HEADER.size:
        raise ValueError(_SHORT)
    got, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    if got != number:
        raise ValueError("the answer is to another question")
    if code := flags & 0xF:
        return Answer(server, failure=_CODES.get(code, f"code {code}"))
    at = _HEADER.size
    for _ in range(questions):
        _, at = _name(packet, at)
        at += 4
    found = list(_records(packet, at, answers))
    return Answer(
        server,
        names=tuple(value for kind, _, value in found if kind == _CNAME),
        addresses=tuple(sorted(value for kind, _, value in found if kind == _A)),
        ttl_seconds=min((ttl for _, ttl, _ in found), default=0),
        failure="" if found else "no such record",
    )


def _records(packet: bytes, at: int, count: int) -> Iterator[tuple[int, int, str]]:
    for _ in range(count):
        _, at = _name(packet, at)
        if at + _FIXED.size > len(packet):
            raise ValueError(_SHORT)
        kind, _, ttl, length = _FIXED.unpack_from(packet, at)
        at += _FIXED.size
        if kind == _A:
            yield kind, ttl, str(IPv4Address(packet[at : at + length]))
        elif kind == _CNAME:
            yield kind, ttl, _name(packet, at)[0]
        at += length


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name and where the packet goes on behind it; names point to earlier ones to save room."""
    labels: list[str] = []
    end = 0
    for _ in range(_MOST_JUMPS):
        if at >= len(packet):
            raise ValueError(_SHORT)
        length = packet[at]
        if length & _POINTER == _POINTER:
            end = end or at + 2
            if at + 1 >= len(packet):
                raise ValueError(_SHORT)
            at = ((length & ~_POINTER) << 8) + packet[at + 1]
        elif length == 0:
            return ".".join(labels).lower(), end or at + 1
        else:
            labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
    raise ValueError("a name in the answer leads in a circle")
