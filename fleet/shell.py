"""A person's way onto a node: OpenSSH, with the deployment's key in a file that is gone afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aws.keys import SshKey
from bake.shelf import Shelf
from fleet.errors import FleetError

if TYPE_CHECKING:
    from fleet.node import Node


def argv(node: Node, user: str, key: Path, known_hosts: Path, command: str = "") -> list[str]:
    """The command line. Host keys go by the instance's id, as addresses are used again."""
    line = [
        "ssh", "-F", "/dev/null", "-i", str(key), "-o", "IdentitiesOnly=yes",
        "-o", f"UserKnownHostsFile={known_hosts}", "-o", f"HostKeyAlias={node.id}",
        "-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=10", f"{user}@{node.address}",
    ]  # fmt: skip
    return [*line, "sudo", "-n", "sh", "-c", _quoted(command)] if command else line


def opened(node: Node, user: str, private: str, command: str = "") -> int:
    """Open a shell, or run a command as root; return how it ended. Raises FleetError without an ssh here."""
    known_hosts = Shelf.of_user().root.parent / "known_hosts"
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="amibake-") as folder:
        key = SshKey(private, "").write(Path(folder) / "key")
        try:
            ended = subprocess.run(argv(node, user, key, known_hosts, command), check=False)
        except FileNotFoundError as why:
            raise FleetError("there is no `ssh` here", "apt-get install openssh-client") from why
    return ended.returncode


def _quoted(command: str) -> str:
    import shlex

    return shlex.quote(command)
