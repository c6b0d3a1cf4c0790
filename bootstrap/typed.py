"""A typed value, as RightScale writes it: `text:web`, `cred:db-password`, `array:["text:a"]`, `blank`."""

from __future__ import annotations

import json
from collections.abc import Iterator

TYPES = "text:VALUE, env:VARIABLE, cred:NAME, key:ID, array:[…], blank or ignore"
SECRETS = ("cred", "key")
_PLAIN = ("text", "env", *SECRETS)


def fault(typed: str) -> str:
    """Say what is wrong with a typed value, or nothing. Never repeats the value: it may be a secret."""
    kind, colon, value = typed.partition(":")
    if typed in ("blank", "ignore") or (kind in _PLAIN and value):
        return ""
    if kind == "array" and colon:
        return _array_fault(value)
    if kind in _PLAIN and colon:
        return f"has nothing after {kind}:, say blank or ignore"
    return f"has no known type, use {TYPES}"


def items(typed: str) -> tuple[str, ...]:
    """Return the typed values of a well-formed array."""
    return tuple(json.loads(typed.removeprefix("array:")))


def array(*texts: str) -> str:
    """Return the array of some texts, as in `array("web", "api")`; it is how the desk writes one."""
    return "array:" + json.dumps([f"text:{each}" for each in texts])


def parts(typed: str) -> Iterator[tuple[str, str]]:
    """Yield kind and value of a well-formed typed value, of each of its items when it is an array."""
    for each in items(typed) if typed.startswith("array:") else (typed,):
        kind, _, value = each.partition(":")
        yield kind, value


def is_secret(typed: str) -> bool:
    """Whether a well-formed typed value stands for something that must never be shown."""
    return any(kind in SECRETS for kind, _ in parts(typed))


def _array_fault(value: str) -> str:
    try:
        held = json.loads(value)
    except ValueError:
        held = None
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        return 'is no array, write array:["text:a","text:b"]'
    for each in held:
        kind, _, inside = each.partition(":")
        if kind not in _PLAIN or not inside:
            return "has an item without a type, each is text:, env:, cred: or key: and something"
        if kind == "text" and "," in inside:
            return "has an item with a comma, which is what separates them"
    return ""
