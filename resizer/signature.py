"""Signatures of URLs: HMAC-SHA256 over `{options}/{key}`, in base64url without padding. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_KEY_BYTES = 16
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def sign(signing_key: bytes, text: str) -> str:
    """Return the 43 characters that sign `text`, which is not percent-encoded."""
    digest = hmac.new(signing_key, text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def looks_signed(segment: str) -> bool:
    """Tell whether a URL's first segment has the form of a signature."""
    return _FORM.fullmatch(segment) is not None


def is_signed(signing_keys: Sequence[bytes], signature: str, text: str) -> bool:
    """Tell whether any of the keys made this signature, in a time that tells neither which nor how nearly.

    Characters are compared, not the bytes they stand for: the last one carries two bits that mean nothing.
    """
    given = signature.encode()
    verdicts = [hmac.compare_digest(given, sign(key, text).encode()) for key in signing_keys]
    return any(verdicts)
