"""A machine that can be told to run a script and to take a file; nothing about how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """How a script ended."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the script ended with exit code 0."""
        return self.exit_code == 0

    @property
    def output(self) -> str:
        """Both streams, standard error last because that is where the reason is."""
        return f"{self.stdout.rstrip()}\n{self.stderr.rstrip()}".strip()


class Machine(Protocol):
    """Anything that runs POSIX shell scripts as root and takes files."""

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        """Run `script` with sh as root; a non-zero exit code is a result, not an exception.

        Raises MachineLost if the connection drops, TookTooLong if the time limit passes.
        """
        ...

    def put(self, content: bytes, to: str) -> None:
        """Write `content` to the path `to`, which the login user may write and root can read.

        Raises MachineLost if the connection drops.
        """
        ...
