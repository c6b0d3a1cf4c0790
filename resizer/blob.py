"""Bytes with what is known of where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Blob:
    """The content of an object or a file; times are in whole seconds since 1970 (UTC).

    A resized image carries the `modified` of its original, wherever it is kept: so every node, and Apache
    in front of it, derives the same ETag and Last-Modified. `etag` is the store's name for these very bytes;
    `source` is the etag of the original they were made of, and `stored` is when the store got them.
    """

    data: bytes
    modified: int
    etag: str = ""
    source: str = ""
    stored: int = 0
