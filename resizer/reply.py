"""Replies: what the application says, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resizer.blob import Blob
    from resizer.errors import RefusalError


@dataclass(frozen=True)
class Reply:
    """An HTTP reply; `body` is what GET gets, HEAD gets its headers alone."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def status_line(self) -> str:
        """Return the status as WSGI wants it."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def health() -> Reply:
    """Say that the process answers, and nothing about the store: a node is not at fault when the store is."""
    return _text(200, "ok\n", "no-store")


def refusal(error: RefusalError, max_age_seconds: int) -> Reply:
    """Say in one line of plain text why not: `{code} {sentence}`."""
    reply = _text(error.status, f"{error.code} {error}\n", f"public, max-age={max_age_seconds}")
    return Reply(reply.status, reply.headers + error.headers, reply.body)


def success(blob: Blob, media_type: str, origin: str, max_age_seconds: int) -> Reply:
    """Serve a result; `origin` (disk, store, rendered, shared) goes into X-Resizer."""
    return Reply(
        200,
        (
            ("Content-Type", media_type),
            ("Content-Length", str(len(blob.data))),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Resizer", origin),
            *_validators(blob, max_age_seconds),
        ),
        blob.data,
    )


def not_modified(blob: Blob, max_age_seconds: int) -> Reply:
    """Say that the copy at hand is still good."""
    return Reply(304, _validators(blob, max_age_seconds), b"")


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


def _validators(blob: Blob, max_age_seconds: int) -> tuple[tuple[str, str], ...]:
    return (
        ("Cache-Control", f"public, max-age={max_age_seconds}"),
        ("ETag", etag(blob)),
        ("Last-Modified", formatdate(blob.modified, usegmt=True)),
    )


def _text(status: int, text: str, cache_control: str) -> Reply:
    body = text.encode("utf-8", "backslashreplace")
    return Reply(
        status,
        (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", cache_control),
        ),
        body,
    )
