"""Replies: what the application says, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from resizer.config import YEAR_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resizer.blob import Blob
    from resizer.config import Config
    from resizer.errors import RefusalError
    from resizer.ladder import Found, Wanted

Headers = tuple[tuple[str, str], ...]
_NOSNIFF = ("X-Content-Type-Options", "nosniff")


@dataclass(frozen=True)
class Reply:
    """An HTTP reply; `body` is what GET gets, HEAD gets its headers alone."""

    status: int
    headers: Headers
    body: bytes

    @property
    def status_line(self) -> str:
        """Return the status as WSGI wants it."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def identified(self, request_id: str) -> Reply:
        """Return this reply with the request's id."""
        return replace(self, headers=(*self.headers, ("X-Request-Id", request_id)))


class Manners:
    """How images and refusals are presented; the same as the site's configuration of Apache says for hits."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def image(self, environ: Mapping[str, Any], wanted: Wanted, found: Found) -> Reply:
        """Serve a result, or say that the copy at hand is still good."""
        headers = (
            ("Cache-Control", self._cache_control(wanted)),
            ("ETag", etag(found.blob)),
            ("Last-Modified", formatdate(found.blob.modified, usegmt=True)),
            ("X-Resizer", found.origin),
            *self._sharing(environ, negotiated=wanted.negotiated),
        )
        if is_current(environ, found.blob):
            return Reply(304, headers, b"")
        return Reply(200, (*_content(found.blob.data, found.media_type), *headers), found.blob.data)

    def fallback(self, error: RefusalError, data: bytes, media_type: str) -> Reply:
        """Serve the fallback image in place of an error."""
        status = self._config.fallback_status
        return Reply(status, (*_content(data, media_type), self._briefly(error)), data)

    def refusal(self, error: RefusalError) -> Reply:
        """Say in one line of plain text why not: `{code} {sentence}`."""
        body = f"{error.code} {error}\n".encode("utf-8", "backslashreplace")
        content = _content(body, "text/plain; charset=utf-8")
        return Reply(error.status, (*content, self._briefly(error), *error.headers), body)

    def _cache_control(self, wanted: Wanted) -> str:
        if wanted.address.immutable:
            return f"public, max-age={YEAR_SECONDS}, immutable"
        return f"public, max-age={self._config.max_age_seconds}"

    def _briefly(self, error: RefusalError) -> tuple[str, str]:
        # A node's trouble is its own: a cache in front of all nodes must not spread it.
        age = self._config.error_max_age_seconds
        return ("Cache-Control", f"public, max-age={age}" if error.status < 500 else "no-store")

    def _sharing(self, environ: Mapping[str, Any], *, negotiated: bool) -> Headers:
        config, vary = self._config, ["Accept"] if negotiated else []
        headers: list[tuple[str, str]] = []
        origin = environ.get("HTTP_ORIGIN", "")
        if "*" in config.allow_origins:
            headers.append(("Access-Control-Allow-Origin", "*"))
        elif config.allow_origins:
            vary.append("Origin")
            if origin in config.allow_origins:
                headers.append(("Access-Control-Allow-Origin", origin))
        if config.timing_allow_origins:
            headers.append(("Timing-Allow-Origin", ", ".join(config.timing_allow_origins)))
        if vary:
            headers.append(("Vary", ", ".join(vary)))
        return tuple(headers)


def health() -> Reply:
    """Say that the process answers, and nothing about the store: a node is not at fault when the store is."""
    return plain(b"ok\n", "text/plain; charset=utf-8")


def plain(body: bytes, media_type: str, status: int = 200) -> Reply:
    """Tell something that is true for this moment only."""
    return Reply(status, (*_content(body, media_type), ("Cache-Control", "no-store")), body)


def etag(blob: Blob) -> str:
    """Return the ETag that Apache makes of the same file with `FileETag MTime Size`: bytes and µs, in hex."""
    return f'"{len(blob.data):x}-{blob.modified * 1_000_000:x}"'


def is_current(environ: Mapping[str, Any], blob: Blob) -> bool:
    """Tell whether the client's conditional headers describe this very result (RFC 9110, 13.2.2)."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return "*" in known or etag(blob) in known
    since = _moment(environ.get("HTTP_IF_MODIFIED_SINCE", ""))
    return since is not None and datetime.fromtimestamp(blob.modified, UTC) <= since


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _content(body: bytes, media_type: str) -> Headers:
    return (("Content-Type", media_type), ("Content-Length", str(len(body))), _NOSNIFF)
