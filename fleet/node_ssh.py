"""The way to nodes: Fabric over SSH. The one file of the fleet that knows Fabric and Paramiko.

Host keys: a node's is pinned under its instance id when first seen, and whoever answers with another key
later is refused. At the first time it must be one of those the node printed on its console, where EC2 shows
that; where it does not, the first key seen is taken. The user's own SSH configuration and known hosts are
not read.
"""

from __future__ import annotations

import io
import logging
import shlex
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut

from fleet.reach import Ended, Hear, HostKeyChanged, KeyUnusable, NodeLost, Target, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

# What goes wrong is raised as our own error; Paramiko would also print tracebacks to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 10
# Without it the kernel retransmits to a dead machine for a quarter of an hour.
UNACKNOWLEDGED_MILLISECONDS = 40_000
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_WRITING = Lock()


@dataclass(frozen=True)
class KnownHosts:
    """Host keys by instance id, or by address where no id is known, as OpenSSH keeps them."""

    file: Path

    def of(self, name: str) -> set[str]:
        """The keys pinned for a name, in base64."""
        if not self.file.exists():
            return set()
        lines = (line.split() for line in self.file.read_text().splitlines())
        return {words[2] for words in lines if len(words) >= 3 and words[0] == name}

    def pin(self, name: str, key: paramiko.PKey) -> None:
        """Remember a key."""
        with _WRITING:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as file:
                file.write(f"{name} {key.get_name()} {key.get_base64()}\n")


@dataclass(frozen=True)
class SshReach:
    """Logs in as a user with one key; without one, with those of the SSH agent."""

    user: str
    known: KnownHosts
    longest_seconds: float
    pkey: Callable[[Target], str | None] = field(repr=False)
    """The private key's text for a target; None: ask the agent."""
    shown: Callable[[Target], Sequence[str]] = field(default=lambda _: (), repr=False)
    """The host keys that a target shows otherwise, as OpenSSH writes them; empty where that is not known."""

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        """See Reach."""
        with closing(self._connected(target)) as connection:
            command = shlex.join(["sudo", "-n", *argv])
            begun = time.monotonic()
            try:
                ended = connection.run(
                    command,
                    hide="stdout",
                    err_stream=_Lines(hear),
                    warn=True,
                    in_stream=False,
                    timeout=self.longest_seconds,
                )
            except CommandTimedOut as why:
                raise self._too_long(target, argv[0]) from why
            except (paramiko.SSHException, EOFError, OSError) as why:
                raise self._lost(target, str(why) or type(why).__name__) from why
            # Invoke tells of a time-out only when its timer's thread has ended by then, which it may do late.
            if ended.exited == -1 and time.monotonic() - begun >= self.longest_seconds:
                raise self._too_long(target, argv[0])
            # Paramiko answers -1 both for a dropped connection and for a program ended by a signal.
            if ended.exited == -1 and not connection.client.get_transport().is_active():
                raise self._lost(target, "the connection closed before the command ended")
        return Ended(ended.exited, ended.stdout, ended.stderr)

    def _connected(self, target: Target) -> Any:
        text = self.pkey(target)
        connect_kwargs: dict[str, Any] = {
            "pkey": _private_key(target, text) if text else None,
            "allow_agent": text is None,
            "look_for_keys": False,
            "banner_timeout": 15,
            "auth_timeout": 15,
        }
        sock = _socket(target)
        # `lazy` and an explicit SSHConfig keep out every ssh, fabric and invoke configuration from here.
        connection = Connection(
            target.address,
            self.user,
            config=Config(lazy=True, ssh_config=paramiko.SSHConfig()),
            connect_kwargs={**connect_kwargs, "sock": sock},
        )
        connection.client.set_missing_host_key_policy(_Pinning(self, target))
        try:
            connection.open()
        except (paramiko.SSHException, EOFError, OSError, ValueError) as why:
            sock.close()
            raise Unreachable(
                f"{target}: no login as {self.user}: {why or type(why).__name__}",
                "was it launched with this key? Give another with --identity, and the user with --user",
            ) from why
        except HostKeyChanged:
            sock.close()
            raise
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        return connection

    def _too_long(self, target: Target, program: str) -> NodeLost:
        return NodeLost(
            f"{target}: {program} did not end within {self.longest_seconds:.0f} s",
            "it goes on there: `invoke fleet.status` shows what becomes of it",
        )

    def _lost(self, target: Target, why: str) -> NodeLost:
        return NodeLost(
            f"{target}: the connection dropped: {why}",
            "did the node stop, or run out of memory? Its console tells: `invoke local.console`",
        )


class _Pinning(paramiko.MissingHostKeyPolicy):
    """Every host key comes here, as no client is told of any before; addresses are reused, ids are not."""

    def __init__(self, reach: SshReach, target: Target) -> None:
        self.reach = reach
        self.target = target

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        known = self.reach.known
        pinned = known.of(self.target.name)
        if key.get_base64() in pinned:
            return
        shown = self.reach.shown(self.target) if not pinned else ()
        if pinned or (shown and key.get_base64() not in {one.split()[1] for one in shown}):
            than = "before" if pinned else "on its console"
            raise HostKeyChanged(
                f"{self.target}: answers with another host key than {than}",
                f"is somebody in between? If it is right: ssh-keygen -f {known.file} -R {self.target.name}",
            )
        known.pin(self.target.name, key)


class _Lines(io.TextIOBase):
    """A stream that hands on whole lines."""

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear = hear
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._hear(line)
        return len(text)


def _socket(target: Target) -> socket.socket:
    try:
        sock = socket.create_connection((target.address, target.port), timeout=CONNECT_SECONDS)
    except OSError as why:
        raise Unreachable(
            f"{target}: {why}", "does it run, and does its security group let this desk in on the SSH port?"
        ) from why
    with suppress(AttributeError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)
    return sock


def _private_key(target: Target, text: str) -> paramiko.PKey:
    for kind in _KEYS:
        with suppress(paramiko.SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(text))
    raise KeyUnusable(
        f"{target}: the key is no private key that can be used",
        "give an Ed25519, ECDSA or RSA key without a passphrase, or have your SSH agent hold it",
    )
