"""The way to a machine: Fabric over SSH. The one file that knows Fabric and Paramiko."""

from __future__ import annotations

import io
import logging
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut

from bake.errors import HostKeyMismatch, MachineError, MachineLost, SshUnreachable, TookTooLong
from bake.machine import Machine, Result

if TYPE_CHECKING:
    from pathlib import Path

# What goes wrong is raised as our own error; Paramiko would also print tracebacks to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 10
# Without it the kernel retransmits to a dead machine for a quarter of an hour.
UNACKNOWLEDGED_MILLISECONDS = 40_000
# One argument of a program may have 128 KiB on Linux; quoting may double a script.
LONGEST_ARGUMENT_BYTES = 60_000
# What the far side's `timeout` may be late before we give up on our side.
GRACE_SECONDS = 20.0
TIMED_OUT = 124

# OpenSSH 9.8 charges a client 5 s per failed login and turns it away from 15 s on, for longer each time.
# A charge fades by 1 s per second: pauses of 3, 5, 6, 6, ... s never reach the limit.
_LOGIN_PAUSES = (3.0, 5.0, 6.0)
_PORT_PAUSE = 0.25

_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True)
class Login:
    """Who logs in where: with the private key in `key_file`, or given as text in `pkey`.

    `host_key` is the expected OpenSSH public key line; without one, the first key seen is accepted
    for this connection. The user's own SSH configuration, agent and known hosts are never read.
    """

    address: str
    user: str
    key_file: Path | None = None
    pkey: str | None = field(default=None, repr=False)
    host_key: str | None = None
    port: int = 22

    def __str__(self) -> str:
        return f"{self.user}@{self.address}" + ("" if self.port == 22 else f":{self.port}")


class SshMachine:
    """A machine behind an open connection; scripts run as root through `sudo -n`."""

    def __init__(self, login: Login, connection: Any) -> None:
        self._login = login
        self._connection = connection

    def __repr__(self) -> str:
        return f"<machine {self._login}>"

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        """See Machine."""
        if len(script.encode()) > LONGEST_ARGUMENT_BYTES:
            script = self._parked(script)
        # Standard input closed: what asks a question shall get no answer, rather than wait for ever.
        command = f"sudo -n {_limited(['sh', '-c', script], timeout_seconds)} </dev/null"
        patience = timeout_seconds and timeout_seconds + GRACE_SECONDS
        with self._watched():
            try:
                ended = self._connection.run(command, hide=True, warn=True, in_stream=False, timeout=patience)
            except CommandTimedOut as why:
                raise self._too_long(timeout_seconds) from why
        self._still_there(ended.exited)
        if timeout_seconds and ended.exited == TIMED_OUT:
            raise self._too_long(timeout_seconds)
        return Result(ended.exited, ended.stdout, ended.stderr)

    def put(self, content: bytes, to: str) -> None:
        """See Machine."""
        with self._watched():
            self._connection.sftp().putfo(io.BytesIO(content), to, file_size=len(content))

    def _parked(self, script: str) -> str:
        """A short script in place of one too long for a command line."""
        path = f"/tmp/amibake-script-{time.monotonic_ns()}"  # noqa: S108 - on a builder that is ours alone
        self.put(script.encode(), path)
        return f"sh {path}; code=$?; rm -f {path}; exit $code"

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, EOFError, OSError) as why:
            raise self._lost(str(why) or type(why).__name__) from why

    def _still_there(self, exit_code: int) -> None:
        # Paramiko answers -1 both for a dropped connection and for a program ended by a signal.
        if exit_code == -1 and not self._connection.client.get_transport().is_active():
            raise self._lost("the connection closed before the script ended")

    def _lost(self, why: str) -> MachineLost:
        return MachineLost(
            f"{self._login}: the connection dropped: {why}",
            hint="did the machine stop, or run out of memory or disk? Its console output tells",
        )

    def _too_long(self, seconds: float | None) -> TookTooLong:
        return TookTooLong(
            f"{self._login}: a script was stopped after {seconds:g} s"
            if seconds
            else f"{self._login}: a script hung",
            hint="a slow mirror or disk is the usual reason: look at the machine, then try again",
        )


@contextmanager
def connect(login: Login) -> Iterator[Machine]:
    """Log in once.

    Raises SshUnreachable, HostKeyMismatch if somebody else answered, MachineError for an unusable key.
    """
    with closing(_attempt(login, _private_key(login))) as connection:
        yield SshMachine(login, connection)


@contextmanager
def wait_for_ssh(
    login: Login,
    budget_seconds: float = 180.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Machine]:
    """Log in as soon as the machine lets us, and never so often that its sshd would bar us.

    Raises SshUnreachable once the budget is spent; HostKeyMismatch or MachineError (the key) at once.
    """
    attempt = partial(_attempt, login, _private_key(login))
    with closing(_persist(login, attempt, Patience(clock() + budget_seconds, clock, sleep))) as connection:
        yield SshMachine(login, connection)


@dataclass(frozen=True)
class Patience:
    """Until when to go on trying, by which clock."""

    deadline: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]


class PortClosed(SshUnreachable):
    """Nobody greets us on the port yet; unlike a failed login, asking again costs nothing."""


def _persist(login: Login, attempt: Callable[[], Any], patience: Patience) -> Any:
    failed_logins = 0
    while True:
        try:
            return attempt()
        except SshUnreachable as why:
            failed_logins += not isinstance(why, PortClosed)
            pause = _PORT_PAUSE if isinstance(why, PortClosed) else _LOGIN_PAUSES[min(failed_logins, 3) - 1]
            if patience.clock() + pause >= patience.deadline:
                raise SshUnreachable(f"{login}: no login within the budget, last: {why}", why.hint) from why
            patience.sleep(pause)


def _attempt(login: Login, key: paramiko.PKey) -> Any:
    return _log_in(login, key, _greeted(login))


def _greeted(login: Login) -> socket.socket:
    """A socket on which sshd has said hello, for the login itself: sshd charges for unused ones too."""
    hint = "is the machine running, and does its security group let this address in on the SSH port?"
    try:
        sock = socket.create_connection((login.address, login.port), timeout=CONNECT_SECONDS)
    except OSError as why:
        raise PortClosed(f"{login}: {why}", hint) from why
    try:
        greeting = sock.recv(4, socket.MSG_PEEK)
    except OSError:
        greeting = b""
    if greeting != b"SSH-":
        sock.close()
        raise PortClosed(f"{login}: connected, but not greeted by an SSH server", hint)
    with suppress(AttributeError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)
    return sock


def _log_in(login: Login, key: paramiko.PKey, sock: socket.socket) -> Any:
    # `lazy` and an explicit SSHConfig keep out every ssh, fabric and invoke configuration of this computer.
    config = Config(lazy=True, ssh_config=paramiko.SSHConfig())
    connect_kwargs = {
        "sock": sock, "pkey": key, "allow_agent": False, "look_for_keys": False,
        "banner_timeout": 15, "auth_timeout": 15,
    }  # fmt: skip
    connection = Connection(
        login.address, login.user, login.port, config=config, connect_kwargs=connect_kwargs
    )
    _expect_host_key(connection.client, login)
    try:
        connection.open()
    except (paramiko.SSHException, EOFError, OSError) as why:
        sock.close()
        if isinstance(why, paramiko.BadHostKeyException):
            raise _mismatch(login) from why
        raise SshUnreachable(
            f"{login}: {why or type(why).__name__}",
            hint="does the user exist on this image, and was the machine launched with this key?",
        ) from why
    except HostKeyMismatch:
        sock.close()
        raise
    connection.transport.set_keepalive(KEEPALIVE_SECONDS)
    return connection


class _Refuse(paramiko.MissingHostKeyPolicy):
    def __init__(self, login: Login) -> None:
        self.login = login

    def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
        raise _mismatch(self.login)


def _expect_host_key(client: paramiko.SSHClient, login: Login) -> None:
    if login.host_key is None:
        return
    name = login.address if login.port == 22 else f"[{login.address}]:{login.port}"
    kind, blob = login.host_key.split()[:2]
    entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {kind} {blob}")
    if entry is None or entry.key is None:
        raise HostKeyMismatch(
            f"{login}: the expected host key is no OpenSSH public key line: {login.host_key[:60]}"
        )
    client.get_host_keys().add(name, kind, entry.key)
    client.set_missing_host_key_policy(_Refuse(login))


def _mismatch(login: Login) -> HostKeyMismatch:
    return HostKeyMismatch(
        f"{login}: the machine does not hold the expected host key",
        hint="another machine has this address, or someone is in between: read its console output",
    )


def _private_key(login: Login) -> paramiko.PKey:
    try:
        text = login.pkey or (login.key_file.read_text() if login.key_file else "")
    except OSError as why:
        raise MachineError(f"{login}: the private key cannot be read: {why}") from why
    for kind in _KEYS:
        with suppress(paramiko.SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(text))
    raise MachineError(
        f"{login}: {login.key_file or 'the given text'} is no private key that can be used",
        hint="give an Ed25519, ECDSA or RSA key without a passphrase",
    )


def _limited(argv: list[str], seconds: float | None) -> str:
    """The command line, stopped by the far side itself: closing our end would not end it there."""
    guard = ["timeout", "--kill-after=10", f"{seconds:g}"] if seconds else []
    return shlex.join([*guard, *argv])
