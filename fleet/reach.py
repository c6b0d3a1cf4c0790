"""How a node is told to run a command: what every way there has in common.

FleetError
└── ReachError
    ├── Unreachable       no connection, or no login
    ├── HostKeyChanged    somebody else answers in the node's place
    ├── KeyUnusable       the private key cannot be read
    └── NodeLost          the connection dropped, or the command did not end in time
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.errors import FleetError

Hear = Callable[[str], None]
"""Takes each line that a command writes to standard error, as it comes."""

_CONSOLE_KEYS = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
_KEY = re.compile(r"((?:ssh-|ecdsa-)[\w@.-]+) (AAAA[A-Za-z0-9+/=]+)")


class ReachError(FleetError):
    """A node cannot be told."""


class Unreachable(ReachError):
    """No connection, or no login."""


class HostKeyChanged(ReachError):
    """Somebody else answers in the node's place."""


class KeyUnusable(ReachError):
    """The private key cannot be read."""


class NodeLost(ReachError):
    """The connection dropped, or the command did not end in time."""


@dataclass(frozen=True)
class Target:
    """A node to be reached: by id where it is known, at an address."""

    address: str
    instance_id: str = ""
    deployment: str = ""
    port: int = 22

    @property
    def name(self) -> str:
        """What it is known by."""
        return self.instance_id or self.address

    def __str__(self) -> str:
        return f"{self.instance_id} ({self.address})" if self.instance_id else self.address


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The end of what it complained of."""
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return " ".join(said[-2:])[-400:] or f"exit code {self.exit_code}"


class Reach(Protocol):
    """A way to nodes."""

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        """Run a command as root. A non-zero exit code is a result. Raises ReachError."""
        ...


def console_keys(text: str) -> tuple[str, ...]:
    """The public host keys that cloud-init printed on a console, those of the latest boot; may be none."""
    blocks = _CONSOLE_KEYS.findall(text)
    return tuple(f"{kind} {blob}" for kind, blob in _KEY.findall(blocks[-1])) if blocks else ()
