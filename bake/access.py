"""The way into a builder for a person: a key and a known host on the desk, and the line to type."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws.keys import SshKey
    from bake.ssh import Login


@dataclass(frozen=True)
class Access:
    """A folder that only its owner may read, for one builder."""

    folder: Path

    def write(self, login: Login, key: SshKey) -> str:
        """Keep what a login needs, and return the command line that logs in."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known_hosts = self.folder / "known_hosts"
        handle = os.open(known_hosts, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{login.address} {login.host_key}\n")
        private = key.write(self.folder / "key")
        return shlex.join(
            [
                "ssh", "-F", "/dev/null", "-i", str(private), "-o", "IdentitiesOnly=yes",
                "-o", f"UserKnownHostsFile={known_hosts}", f"{login.user}@{login.address}",
            ]
        )  # fmt: skip

    def remove(self) -> None:
        """Forget the key; nothing happens when none was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)
