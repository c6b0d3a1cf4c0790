"""The address of a resized image: `/w{N}/{KEY}`. Pure: text in, value or error out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from resizer.errors import BadAddressError

GRAMMAR = "/w{width}/{key}"
MAX_KEY_BYTES = 1024  # the limit of S3
_ADDRESS = re.compile(r"/w([0-9]{1,9})/(.+)", re.DOTALL)
# C0 controls, DEL and C1 controls end log lines and header lines; nobody names a photograph with them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Address:
    """One resized image: the original's key, and the width wanted in pixels."""

    width: int
    key: str

    @property
    def path(self) -> str:
        """Return the URL path without its leading slash; the disk cache and the results use the same name."""
        return f"w{self.width}/{self.key}"


def path_of(path_info: str) -> str:
    """Return the URL path as text from WSGI's PATH_INFO, which carries UTF-8 bytes dressed up as Latin-1.

    Raises BadAddressError if the bytes are not UTF-8.
    """
    try:
        return path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise BadAddressError(
            "The path is not UTF-8.", "Percent-encode the key's UTF-8 bytes when writing the URL."
        ) from None


def parse(path: str, max_width: int) -> Address:
    """Read an address from a percent-decoded URL path.

    One image has exactly one address: widths with leading zeros and keys with empty, `.` or `..` segments
    are refused rather than tidied up, for a second spelling would be a second file in every cache.

    Raises BadAddressError.
    """
    match = _ADDRESS.fullmatch(path)
    if match is None:
        raise BadAddressError(
            f"The path {path[:200]!a} is not {GRAMMAR}.",
            "Ask for a width in pixels and a key, such as /w300/photo.jpg.",
        )
    return Address(_width(match[1], max_width), _key(match[2]))


def _width(digits: str, max_width: int) -> int:
    width = int(digits)
    if digits.startswith("0") or width > max_width:
        raise BadAddressError(
            f"The width {digits} is not a whole number from 1 to {max_width}.",
            "Ask for a width in that range, without leading zeros; max_width in the configuration sets it.",
        )
    return width


def _key(key: str) -> str:
    fault = _fault(key)
    if fault:
        raise BadAddressError(f"The key {key[:200]!a} {fault}.", "Ask for the key as the store spells it.")
    return key


def _fault(key: str) -> str | None:
    if _CONTROL.search(key):
        return "holds a control character"
    if "\\" in key:
        return "holds a backslash"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    for segment in key.split("/"):
        if not segment:
            return "has an empty segment"
        if segment.startswith("."):
            # Covers `..`, and keeps such names free for the cache's own files.
            return "has a segment that begins with a dot"
    return None
