"""Bytes with the time they were last changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Blob:
    """The content of an object or a file; `modified` is in whole seconds since 1970 (UTC).

    A resized image carries the `modified` of its original, wherever it is kept: so every node, and Apache
    in front of it, derives the same ETag and Last-Modified.
    """

    data: bytes
    modified: int
