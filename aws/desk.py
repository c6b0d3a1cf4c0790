"""This desk and its processes: how a run is told from all others, and whether it still lives.

A process id alone would deceive twice: another desk has the same numbers, and this one gives a number to a
new process some day. So a run's id is `host-desk-pid-birth-random`: `desk` stands for the machine and the
process namespace, `birth` for the boot and the moment the process began.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import uuid
from contextlib import suppress
from enum import Enum
from pathlib import Path

_PROCESS = re.compile(
    r"[a-z0-9-]{1,16}-(?P<desk>[0-9a-f]{6})-(?P<pid>\d+)-(?P<birth>[0-9a-f]{6})-[0-9a-f]{4}"
)
_UNKNOWN_BIRTH = "000000"


class Life(Enum):
    """What is known of a run."""

    ALIVE = "its run is alive"
    DEAD = "its run is dead"
    ELSEWHERE = "its run is another desk's"
    NO_PROCESS = "it belongs to no process"


def process_id(pid: int | None = None) -> str:
    """What tells a process of this desk, by default this one, from all processes of all desks."""
    number = os.getpid() if pid is None else pid
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:16]
    return f"{host or 'desk'}-{desk()}-{number}-{birth(number) or _UNKNOWN_BIRTH}"


def birth_of_this() -> tuple[int, str]:
    """This process's number and its birth."""
    number = os.getpid()
    return number, birth(number) or _UNKNOWN_BIRTH


def life(run_id: str) -> Life:
    """Whether the run of an id lives, as far as this desk can tell."""
    found = _PROCESS.fullmatch(run_id)
    if found is None:
        return Life.NO_PROCESS
    if found["desk"] != desk():
        return Life.ELSEWHERE
    born = birth(int(found["pid"]))
    return Life.ALIVE if born is not None and born == found["birth"] else Life.DEAD


def desk() -> str:
    """Six digits that stand for this machine and this process namespace."""
    machine = _text("/etc/machine-id") or _text("/proc/sys/kernel/random/boot_id") or f"{uuid.getnode():x}"
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    return _digits(f"{machine} {namespace} {socket.gethostname()}")


def birth(pid: int) -> str | None:
    """Six digits that stand for the boot and the moment a process began; None when there is no such process.

    Where the system does not tell the moment, they are zeros: a reused number then counts as alive.
    """
    if not Path("/proc/self/stat").exists():
        return _UNKNOWN_BIRTH if _exists(pid) else None
    # The name in parentheses may hold anything; the state is the first field after it, the start the 20th.
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return None
    return _digits(f"{_text('/proc/sys/kernel/random/boot_id')} {fields[19]}")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
