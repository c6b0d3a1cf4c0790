"""What this computer must have to run machines, and how it gets it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import CommandFailed, MissingPackages, NotPossibleHere
from localcloud.process import run


@dataclass(frozen=True)
class Need:
    """A Debian package, the program (or the file, by its path) that shows it is there, and what it is for.

    `service` is what the package would start on this computer: it is masked before, for it is not wanted.
    """

    package: str
    program: str
    reason: str
    service: str = ""


NEEDS = (
    Need("systemd-container", "systemd-nspawn", "runs the machines"),
    Need("mmdebstrap", "mmdebstrap", "builds the public images from Debian's packages"),
    Need("nftables", "nft", "guards and translates the machines' traffic"),
    Need("iproute2", "ip", "makes the machines' network"),
    Need("openssh-client", "ssh", "carries the image tests to fresh nodes"),
    Need("procps", "sysctl", "lets the machines' network forward"),
    Need("haproxy", "haproxy", "carries the load balancers' traffic", service="haproxy.service"),
    Need("bind9", "named", "answers for Route 53's and load balancers' names", service="named.service"),
)

_ELSEWHERE = "`--cloud aws` works here, with an AWS account; the local cloud needs root on Debian 12 or newer"


def missing(wanted: Iterable[Need] = ()) -> tuple[Need, ...]:
    """What is not installed of the local cloud's needs, and of what is wanted beside them."""
    return tuple(need for need in (*NEEDS, *wanted) if not _is_there(need.program))


def ensure(say: Callable[[str], None], *, install: bool = True, wanted: Iterable[Need] = ()) -> None:
    """Have all that is needed, and wanted beside it, installing what is missing.

    Raises NotPossibleHere where machines cannot run at all, MissingPackages when `install` is False.
    """
    refuse_where_impossible(
        sys.platform, os.geteuid(), has_apt=shutil.which("apt-get", path=_path()) is not None
    )
    lacking = missing(wanted)
    if not lacking:
        return
    for need in lacking:
        say(f"needs {need.package}, which {need.reason}")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *(need.package for need in lacking)]
    if not install:
        raise MissingPackages(f"{len(lacking)} Debian packages are missing", f"run: {' '.join(command)}")
    say(" ".join(command))
    for need in lacking:
        if need.service and mask(need.service):
            say(f"{need.service} stays off here; to use it: systemctl unmask {need.service}")
    _install(command)


def refuse_where_impossible(platform: str, uid: int, *, has_apt: bool) -> None:
    """Raise NotPossibleHere, in one sentence, where no machine can run."""
    if platform != "linux":
        raise NotPossibleHere(
            f"the local cloud runs machines on Linux only, and this is {platform}", _ELSEWHERE
        )
    if uid != 0:
        raise NotPossibleHere("the local cloud runs machines, and only root may do that", _ELSEWHERE)
    if not has_apt and missing():
        names = ", ".join(need.program for need in missing())
        raise NotPossibleHere(f"{names} not found, and there is no apt-get to install them", _ELSEWHERE)


def mask(service: str, units: Path = Path("/etc/systemd/system")) -> bool:
    """Keep a service from being started, now and at boot. Returns whether that was to do."""
    unit = units / service
    if not units.is_dir() or unit.is_symlink() or unit.exists():
        return False
    unit.symlink_to("/dev/null")
    return True


def program(name: str) -> str:
    """Where a program is. Raises MissingPackages."""
    found = shutil.which(name, path=_path())
    if found is None:
        raise MissingPackages(f"{name} is not installed", "run `invoke setup`")
    return found


def _is_there(program: str) -> bool:
    return Path(program).is_file() if program.startswith("/") else bool(shutil.which(program, path=_path()))


def _install(command: list[str]) -> None:
    # A fresh machine has no package lists, or old ones.
    try:
        run(["apt-get", "update"])
        run(["env", "DEBIAN_FRONTEND=noninteractive", *command])
    except CommandFailed as why:
        raise MissingPackages(str(why), f"run it by hand: {' '.join(command)}") from why


def _path() -> str:
    """The path with the places of system programs, which a user's may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
