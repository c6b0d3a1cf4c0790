"""Secrets, read on the node with the instance's role.

From Secrets Manager, or SecureStrings from Parameter Store.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.errors import ApiError, SecretError

if TYPE_CHECKING:
    from bootstrap.api import Api

# Where EC2 keeps the private keys of key pairs that CloudFormation made.
_KEY_PAIRS = "/ec2/keypair/"


@dataclass(frozen=True)
class Vault:
    """The way to secrets; `api` is made on the first one that is read.

    `cred:NAME` and `cred:ARN` are of Secrets Manager, `cred:NAME#FIELD` is a field of a secret that is a
    JSON object;
    `cred:/PATH` and `cred:ssm:NAME` are of Parameter Store; `key:ID` is the private key of a key pair.
    """

    api: Callable[[], Api]

    def __call__(self, kind: str, name: str) -> str:
        """Return a secret. Raises SecretError, which names it and why it cannot be read."""
        try:
            if kind == "key":
                return self._parameter(name if name.startswith("/") else _KEY_PAIRS + name)
            if name.startswith(("/", "ssm:")):
                return self._parameter(name.removeprefix("ssm:"))
            return self._secret(name)
        except ApiError as why:
            raise SecretError(f"{kind}:{name} cannot be read: {why}", why.hint or _hint(kind, name)) from why

    def _secret(self, name: str) -> str:
        from bootstrap.api import SECRETS

        name, _, inside = name.partition("#")
        text = self.api().json(SECRETS, "GetSecretValue", {"SecretId": name}).get("SecretString")
        if text is None:
            raise SecretError(f"cred:{name} is not a text", "keep it in Secrets Manager as SecretString")
        return _field(name, inside, text) if inside else str(text)

    def _parameter(self, name: str) -> str:
        from bootstrap.api import SSM

        asked = {"Name": name, "WithDecryption": True}
        found = self.api().json(SSM, "GetParameter", asked)["Parameter"]
        if found["Type"] != "SecureString":
            raise SecretError(f"{name} lies open in Parameter Store", "make it a SecureString")
        return str(found["Value"])


def _field(name: str, field_name: str, text: str) -> str:
    try:
        held = json.loads(text)[field_name]
    except (ValueError, TypeError, KeyError):
        held = None
    if not isinstance(held, str):
        raise SecretError(
            f"cred:{name} has no text {field_name!r}", "is the secret a JSON object with that key?"
        )
    return held


def _hint(kind: str, name: str) -> str:
    where = "Parameter Store" if kind == "key" or name.startswith(("/", "ssm:")) else "Secrets Manager"
    return f"is it in {where}, in this region?"
