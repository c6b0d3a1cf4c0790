"""The object store: originals are read from it, results, masters and purges are kept in it.

Two implementations, one contract: `bucket.py` and `folder.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from resizer.errors import MissingError, TooManyBytesError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resizer.blob import Blob


class Store(Protocol):
    """What the service asks of an object store. Implementations are safe to share between threads.

    Every method may raise StoreError or StoreTimeoutError.
    """

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the object. Raises MissingError, or TooManyBytesError before reading them."""

    def etag(self, key: str) -> str:
        """Return the object's etag without reading it. Raises MissingError."""

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        """Keep the object whole or not at all; `read` gives back its `modified` and its `source`."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects; those that are not there are no fault."""

    def names(self, prefix: str, after: str = "") -> Iterable[str]:
        """Yield the keys that begin with `prefix` and sort behind `after`, in order."""

    def folders(self, prefix: str) -> Iterable[str]:
        """Yield what stands between `prefix` and the next slash, each once; no object need be named so."""


def admit(key: str, size_bytes: int, max_bytes: int) -> None:
    """Raise TooManyBytesError if an object is larger than agreed."""
    if size_bytes > max_bytes:
        raise TooManyBytesError(
            f"The object {key!a} has {size_bytes} bytes; the limit is {max_bytes}.",
            "Upload a smaller original, or raise max_original_bytes if the node has the memory.",
        )


def missing(key: str) -> MissingError:
    """Return the error for an object that is not there."""
    return MissingError(f"There is no object {key!a}.", "Check the key's spelling, or upload the original.")
