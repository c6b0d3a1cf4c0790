"""A Python virtual environment that holds exactly what a lock file says."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, ClassVar, Protocol

from bake.lock import Lock, Target, parse
from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must, upload
from bake.wheels import wheelhouse

if TYPE_CHECKING:
    from bake.machine import Machine

_INSTALLED = (
    "import importlib.metadata as m,re;"
    "print(*sorted(re.sub('[-_.]+','-',d.name).lower()+'=='+d.version for d in m.distributions()))"
)

# The wheel that `python -m venv` would install and we remove again runs as it is, in half the time. Debian
# keeps it in a folder of its own, others where Python puts it.
_PIP = (
    "import ensurepip,glob,os,sys,sysconfig;"
    "places=[sysconfig.get_config_var('WHEEL_PKG_DIR'),os.path.join(ensurepip.__path__[0],'_bundled')];"
    "found=[w for p in places if p for w in glob.glob(p+'/pip-*.whl')];"
    "print((found or sys.exit('the wheel of pip is not there'))[0]+'/pip')"
)


class Wheelhouse(Protocol):
    """Where the wheels of a lock come from."""

    def __call__(self, lock: Lock, target: Target) -> Path:
        """A folder with exactly the wheels of `lock` that fit `target`. Raises LockError."""
        ...


@dataclass(frozen=True)
class Venv:
    """An environment at `path`; the wheels come with the bake, so no index is ever asked on the machine."""

    kind: ClassVar[str] = "venv"
    options: ClassVar[tuple[Option, ...]] = (
        Option("venv", Takes.PLACE, required=True),
        Option("lock", Takes.FILE, required=True),
        Option("python", Takes.TEXT, default="3.13"),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str
    lock: Lock
    target: Target
    wheels: Wheelhouse = field(default=wheelhouse, compare=False, repr=False)

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Venv:
        """From a step table. Raises LockError for a requirement without a hash."""
        lock = parse(desk.read(options.path("lock")).decode(), name=options.path("lock").name)
        return cls(options.text("venv"), lock, Target(options.text("python"), desk.architecture))

    def describe(self) -> str:
        """See Step."""
        return f"venv {self.path} ({len(self.lock.requirements)} packages of {self.lock.name})"

    def probe(self) -> str:
        """See Step: what Python itself finds there, no more and no less."""
        wanted = " ".join(sorted(f"{each.name}=={each.version}" for each in self.lock.requirements))
        python = quote(f"{self.path}/bin/python")
        version = quote(f"Python {self.target.python}.")
        return (
            f'case "$({python} --version)" in {version}*) ;; *) exit 1;; esac;'
            f' test "$({python} -I -c {quote(_INSTALLED)})" = {quote(wanted)}'
        )

    def apply(self, machine: Machine) -> None:
        """See Step: always made anew, so that nothing of an older lock survives; pip itself stays outside."""
        held = upload(machine, self._parcel())
        python = quote(f"{self.path}/bin/python")
        must(
            self,
            machine,
            f"wheels=$(mktemp -d) && trap 'rm -rf \"$wheels\" {held}' EXIT || exit\n"
            f'tar -C "$wheels" --no-same-owner -xf {held} || exit\n'
            f"rm -rf {quote(self.path)} && python3 -m venv --without-pip {quote(self.path)} || exit\n"
            f"pip=$({python} -I -c {quote(_PIP)}) || exit\n"
            f'PIP_CONFIG_FILE=/dev/null {python} -I "$pip" install --disable-pip-version-check --no-cache-dir'
            ' -q --no-index --no-deps --find-links "$wheels" --require-hashes -r "$wheels/lock.txt"',
            hint="is python3-venv installed by an earlier step, and `python` the release's own version?",
        )

    def _parcel(self) -> bytes:
        """Wheels and lock in one archive: one upload instead of one per wheel."""
        folder, buffer = self.wheels(self.lock, self.target), io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for wheel in sorted(folder.glob("*.whl")):
                tar.add(wheel, wheel.name)
            text = self.lock.text.encode()
            entry = tarfile.TarInfo("lock.txt")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        return buffer.getvalue()
