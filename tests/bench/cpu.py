"""CPU time and memory of process trees, from /proc: steadier than rates on a shared computer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One process of this computer, machines' processes among them."""

    pid: int
    parent: int
    name: str
    cpu_seconds: float
    """Its own, and that of the children it has waited for."""


def processes() -> dict[int, Process]:
    """All processes there are now, by number."""
    found = (_read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {one.pid: one for one in found if one}


def tree(roots: Iterable[int], name: str = "") -> list[Process]:
    """The processes at and below these, those of a name alone where one is given."""
    known = processes()
    children: dict[int, list[int]] = {}
    for one in known.values():
        children.setdefault(one.parent, []).append(one.pid)
    reached, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        if pid in known and name in ("", known[pid].name):
            reached.append(known[pid])
    return reached


def cpu_seconds(roots: Iterable[int], name: str = "") -> float:
    """The CPU time of a tree since its processes began."""
    return sum(one.cpu_seconds for one in tree(roots, name))


def meter(roots: Callable[[], Iterable[int]], name: str = "") -> Callable[[], float]:
    """A clock of the CPU time of a tree that may gain processes."""
    return lambda: cpu_seconds(roots(), name)


def computer_seconds() -> float:
    """The CPU time that this whole computer has spent on anything since it was started."""
    user, nice, system, _idle, _waiting, irq, softirq, *_ = Path("/proc/stat").read_text().split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) * _TICK_SECONDS


def resident_bytes(pid: int) -> int:
    """What a process has in memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def proportional_bytes(pid: int) -> int:
    """A process's memory, what it shares with others counted in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def peak_bytes(pid: int) -> int:
    """The most a process has had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _read(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    ticks = sum(int(each) for each in fields[11:15])
    return Process(pid, int(fields[1]), head.partition("(")[2], ticks * _TICK_SECONDS)
