"""testinfra's way to a node, made quick: one root shell for all commands, in place of a login for each."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import threading
from contextlib import suppress
from typing import Any

import testinfra.backend
from testinfra.backend.base import CommandResult
from testinfra.backend.ssh import SshBackend

SCHEME = "node"
"""Hosts are named `node://USER@ADDRESS`; with `ssh://` testinfra's own backend is taken."""

# A login costs the node a session of sshd, sudo and PAM; a command in this shell only the command.
_SERVER = """
import base64, json, subprocess, sys
for line in sys.stdin:
    done = subprocess.run(["/bin/sh", "-c", json.loads(line)], stdin=subprocess.DEVNULL, capture_output=True)
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    texts = [base64.b64encode(text).decode() for text in (done.stdout, done.stderr)]
    print(json.dumps([code, *texts]), flush=True)
"""


class NodeShell(SshBackend):  # type: ignore[misc]
    """Runs commands one after another in a shell that is opened with the first and ends with this process."""

    NAME = SCHEME

    def __init__(self, *args: Any, sudo: bool = False, sudo_user: str | None = None, **kwargs: Any) -> None:
        # The shell has the rights; a command that asks for another user's still gets them.
        super().__init__(*args, sudo=False, **kwargs)
        self._rights = ["sudo", "-n", "-u", sudo_user or "root"] if sudo else []
        self._shell: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """See testinfra. Raises ConnectionError when the node is lost; the next command tries it again."""
        line = self.get_command(command, *args)
        with self._lock:
            shell = self._shell = self._shell or self._opened()
            answer = _asked(shell, line)
            if not answer:
                self._shell = None
                raise ConnectionError(f"{self.host.name} was lost at: {line} (ssh: exit {shell.wait()})")
        code, out, err = json.loads(answer)
        return self.result(code, self.encode(line), base64.b64decode(out), base64.b64decode(err))

    def close(self) -> None:
        """End the shell."""
        with self._lock:
            if self._shell is not None:
                self._shell.communicate()
                self._shell = None

    def _opened(self) -> subprocess.Popen[bytes]:
        server = shlex.join([*self._rights, "python3", "-I", "-c", _SERVER])
        words, values = self._build_ssh_command(server)
        ssh = self.quote(" ".join(words), *values)
        return subprocess.Popen(["sh", "-c", f"exec {ssh}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _asked(shell: subprocess.Popen[bytes], line: str) -> bytes:
    """What the shell answers, empty when it is not there any more."""
    if shell.stdin is None or shell.stdout is None:
        return b""
    with suppress(BrokenPipeError):
        shell.stdin.write(json.dumps(line).encode() + b"\n")
        shell.stdin.flush()
    return shell.stdout.readline()


def install() -> None:
    """Have testinfra know the scheme."""
    testinfra.backend.BACKENDS[SCHEME] = f"{__name__}.{NodeShell.__name__}"
