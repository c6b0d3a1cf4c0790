"""This very computer as a node: where `invoke bootstrap` runs without a target."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from fleet.reach import Ended, Hear, Target, Unreachable

INSTALLED = Path("/opt/amibake/bootstrap/node-bootstrap")
HERE = Target("this node")


def is_node(installed: Path = INSTALLED) -> bool:
    """Whether this computer was made of a baked image."""
    return installed.is_file()


class Here:
    """Runs commands on this computer, as root."""

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:  # noqa: ARG002 - there is only one
        """See Reach."""
        command = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *argv]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as why:
            raise Unreachable(
                f"{command[0]} cannot be run: {why}", "is this a node of a baked image?"
            ) from why
        said: list[str] = []

        def listen() -> None:
            for line in process.stderr or ():
                said.append(line)
                hear(line.rstrip("\n"))

        with process:
            listener = Thread(target=listen)
            listener.start()
            out = process.stdout.read() if process.stdout else ""
            listener.join()
        return Ended(process.returncode, out, "".join(said))
