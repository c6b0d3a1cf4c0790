"""Sockets inside a network namespace, opened from a process outside of it."""

from __future__ import annotations

import ctypes
import os
import socket
import threading

from localcloud.errors import LocalCloudError

_CLONE_NEWNET = 0x40000000


def listen_in(namespace: str, address: str, port: int) -> socket.socket:
    """A listening TCP socket that belongs to a named network namespace.

    Only a thread of its own enters the namespace, and ends there: a socket stays in the namespace it was
    made in, so the rest of the process never leaves the host's.
    """
    made: list[socket.socket | OSError] = []

    def enter_and_listen() -> None:
        try:
            _enter(namespace)
            made.append(socket.create_server((address, port), backlog=256))
        except OSError as why:
            made.append(why)

    worker = threading.Thread(target=enter_and_listen)
    worker.start()
    worker.join()
    if isinstance(made[0], OSError):
        raise LocalCloudError(f"cannot listen on {address}:{port} in {namespace}: {made[0]}") from made[0]
    return made[0]


def _enter(namespace: str) -> None:
    handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns into {namespace}")
    finally:
        os.close(handle)
