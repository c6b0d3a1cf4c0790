"""One plain HTTP request: no proxy, no redirect, no retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """What a web server answered."""

    status: int
    body: str = ""


class Ask(Protocol):
    """How the rest of this room asks a web server; raises OSError when there is no answer."""

    def __call__(
        self, method: str, url: str, timeout_seconds: float, headers: Mapping[str, str] = ...
    ) -> Answer:
        """Send one request."""


def ask(method: str, url: str, timeout_seconds: float, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request over plain HTTP. Raises OSError when there is no proper answer in time."""
    from http.client import HTTPConnection, HTTPException

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_seconds)
    try:
        connection.request(
            method, parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers or {}
        )
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    except HTTPException as why:
        raise OSError(f"no HTTP: {why!r}") from why
    finally:
        connection.close()
