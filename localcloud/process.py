"""The one door to the host's programs."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from localcloud.errors import CommandFailed


def run(argv: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a program to its end and return its standard output.

    Raises CommandFailed with the command and the last lines it said.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as why:
        raise CommandFailed(f"{argv[0]} is not installed", "run `invoke setup`") from why
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-800:]
        raise CommandFailed(f"`{shlex.join(argv)}` ended with {done.returncode}: {said}")
    return done.stdout
