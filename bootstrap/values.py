"""What the typed inputs of a script stand for, on the node that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bootstrap.errors import InputsError
from bootstrap.header import Script
from bootstrap.inputs import check, effective
from bootstrap.typed import items

Secret = Callable[[str, str], str]
"""Reads a secret, given `cred` or `key` and its name. Raises SecretError."""


def value_of(typed: str, environment: Mapping[str, str], secret: Secret) -> str | None:
    """Return what a well-formed typed value stands for; None for `ignore` and for an unset variable.

    The items of an array are joined with commas; those that stand for nothing are left out.
    Raises SecretError where a secret cannot be read.
    """
    kind, _, value = typed.partition(":")
    if kind == "text":
        return value
    if kind == "env":
        return environment.get(value)
    if kind == "array":
        held = [value_of(each, environment, secret) for each in items(typed)]
        return ",".join(each for each in held if each)
    if kind in ("cred", "key"):
        return secret(kind, value)
    return "" if kind == "blank" else None


def values(
    script: Script, given: Mapping[str, str], environment: Mapping[str, str], secret: Secret
) -> dict[str, str | None]:
    """Return a value for every input a script declares.

    Raises InputsError, before any secret is read, when one is missing or malformed, or a variable it needs
    is not set; SecretError where a secret cannot be read.
    """
    check([script], given)
    typed = {name: effective(spec, given) for name, spec in script.inputs.items()}
    unset = [
        f"{name} is required and {typed[name]} is not set"
        for name, spec in script.inputs.items()
        if spec.required and typed[name].startswith("env:") and typed[name][4:] not in environment
    ]
    if unset:
        raise InputsError(
            f"inputs: {'; '.join(unset)} ({script.name})",
            hint="set the variable in systemd's environment, or give the input as text:",
        )
    return {name: value_of(each, environment, secret) for name, each in typed.items()}
