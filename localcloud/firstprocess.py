"""A machine's first process, asked whether it answers."""

from __future__ import annotations

import socket


def answers(leader: int, *, patience_seconds: float = 1) -> bool:
    """Whether systemd, process `leader`, reacts on its private socket, found among the machine's files.

    It turns callers from outside of its PID namespace away, but must be alive to do so: any reaction counts,
    silence does not.
    """
    address = f"/proc/{leader}/root/run/systemd/private"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience_seconds)
        try:
            connection.connect(address)
            connection.recv(1)
        except (ConnectionResetError, BrokenPipeError):
            return True
        except OSError:
            return False
    return True
