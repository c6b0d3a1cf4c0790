"""The same steps on the same kind of machine by three programs; cold, then with nothing to do."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.baking import fetch_wheels, project
from bench.cloud import ROOT, USER
from bench.errors import BenchError
from bench.figures import Figure, median
from bench.process import timed
from bench.rivals import payload, programs

if TYPE_CHECKING:
    from bench.cloud import Ground

_HERE = Path(__file__).parent
_NOOP_RUNS = 3
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# pyinfra ends with a table as wide as its longest name.
_BLANKS = re.compile(r" {3,}")


@dataclass(frozen=True)
class Contender:
    """A program that converges a machine, and how its output says that nothing was to do."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    nothing: re.Pattern[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """What one of them took."""

    cold: float
    noops: tuple[float, ...]

    @property
    def noop(self) -> float:
        """The middle of its runs with nothing to do."""
        return sorted(self.noops)[len(self.noops) // 2]


def measure(ground: Ground) -> tuple[Figure, ...]:
    """The three, one after the other, each on a fresh machine of the public image."""
    spec = project(ground.folder / "converging")
    fetch_wheels(spec)
    payload(spec, ground.folder / "payload")
    bin_folder = programs()
    runs = {name: _run(ground, name, spec, bin_folder) for name in ("ours", "ansible", "pyinfra")}
    ours = runs.pop("ours")
    figures = [Figure("converge_cold_seconds", ours.cold), median("converge_noop_seconds", ours.noops)]
    aims = {"ansible": 1 / 5, "pyinfra": 1 / 1.5}
    for name, course in runs.items():
        figures += [
            Figure(f"{name}_cold_seconds", course.cold),
            median(f"{name}_noop_seconds", course.noops),
            Figure(f"cold_seconds_ratio_to_{name}", ours.cold / course.cold),
            Figure(f"noop_seconds_ratio_to_{name}", ours.noop / course.noop, aims[name]),
        ]
    return tuple(figures)


def _run(ground: Ground, name: str, spec: Path, bin_folder: Path) -> Course:
    with ground.machines(ground.debian.id) as (address,):
        with ground.reached(address) as machine:
            machine.run("cloud-init status --wait; systemctl is-system-running --wait", timeout_seconds=120)
        contender = _CONTENDERS[name](ground, address, spec, bin_folder)
        cold = _once(contender, nothing_to_do=False)
        ground.say(f"{name}: cold in {cold:.1f} s")
        noops = tuple(_once(contender, nothing_to_do=True) for _ in range(_NOOP_RUNS))
        ground.say(f"{name}: nothing to do in {', '.join(f'{one:.2f}' for one in noops)} s")
        return Course(cold, noops)


def _once(contender: Contender, *, nothing_to_do: bool) -> float:
    """One run. Raises BenchError where its output does not say what a run of that kind must say."""
    ended = timed(contender.argv, contender.environment, contender.folder)
    said = _BLANKS.sub("  ", _ANSI.sub("", ended.stdout + ended.stderr))
    if bool(contender.nothing.search(said)) != nothing_to_do:
        raise BenchError(
            f"{contender.name} was to find {'nothing' if nothing_to_do else 'all'} to do\n{said[-3000:]}",
            "a run that does something else than it should is no figure: mend the deploy first",
        )
    return ended.seconds


def _ours(ground: Ground, address: str, spec: Path, _: Path) -> Contender:
    script = str(_HERE / "ours.py")
    argv = (sys.executable, "-P", script, str(spec), address, USER, str(ground.key_file))
    return Contender("ours", argv, ROOT, re.compile(r"^changed=0$", re.MULTILINE), ground.environment)


def _ansible(ground: Ground, address: str, spec: Path, bin_folder: Path) -> Contender:
    folder = Path(shutil.copytree(_HERE / "ansible", ground.folder / "ansible"))
    argv = (
        str(bin_folder / "ansible-playbook"), "-i", f"{address},", "-u", USER,
        "--private-key", str(ground.key_file),
        "-e", f"@{ground.folder}/payload/told.json", "playbook.yml",
    )  # fmt: skip
    own = {"ANSIBLE_HOME": str(ground.folder / "ansible-home"), "LC_ALL": "C.UTF-8"}
    return Contender("ansible", argv, folder, re.compile(r"changed=0 "), {**ground.environment, **own})


def _pyinfra(ground: Ground, address: str, spec: Path, bin_folder: Path) -> Contender:
    folder = Path(shutil.copytree(_HERE / "pyinfra", ground.folder / "pyinfra"))
    data = {
        "ssh_known_hosts_file": ground.folder / "known_hosts",
        "ssh_strict_host_key_checking": "off",
        "told": ground.folder / "payload" / "told.json",
    }
    argv = (
        str(bin_folder / "pyinfra"), address, "deploy.py", "-y", "--sudo",
        "--ssh-user", USER, "--ssh-key", str(ground.key_file),
        *(word for name, value in data.items() for word in ("--data", f"{name}={value}")),
    )  # fmt: skip
    nothing = re.compile(r"^\s*Grand total\s+\d+\s+-\s", re.MULTILINE)
    return Contender("pyinfra", argv, folder, nothing, ground.environment)


_CONTENDERS = {"ours": _ours, "ansible": _ansible, "pyinfra": _pyinfra}
