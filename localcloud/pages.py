"""Pages of a listing: a token says after which item the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from localcloud.refusals import refuse, refuse_unless

T = TypeVar("T")

_LARGEST = 1000


def page(
    items: Sequence[T], key: Callable[[T], str], size: int | None, token: str, *, smallest: int = 1
) -> tuple[list[T], str]:
    """One page of items in the order of their keys, and the token of the next page or nothing.

    The token names the last item shown, so that items which come or go meanwhile are neither shown twice
    nor push others out of sight. Without a size everything is one page, up to the largest that there is.
    """
    refuse_unless(
        size is None or size >= smallest,
        "InvalidParameterValue",
        f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {smallest}.",
    )
    ordered = sorted(items, key=key)
    if token:
        last = _opened(token)
        ordered = [item for item in ordered if key(item) > last]
    if size is None:
        return ordered, ""
    size = min(size, _LARGEST)
    shown = ordered[:size]
    return shown, _sealed(key(shown[-1])) if len(ordered) > size else ""


def _sealed(key: str) -> str:
    return base64.b64encode(f"after {key}".encode()).decode()


def _opened(token: str) -> str:
    try:
        word, _, key = base64.b64decode(token, validate=True).decode().partition(" ")
    except (binascii.Error, UnicodeDecodeError) as why:
        raise refuse("InvalidNextToken", "The token for the next page is not valid") from why
    refuse_unless(word == "after", "InvalidNextToken", "The token for the next page is not valid")
    return key
