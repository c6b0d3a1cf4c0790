"""Debian packages that shall be installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.errors import SpecError, StepFailed
from bake.steps.apt import INSTALL, fresh_lists
from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import STEP_SECONDS

if TYPE_CHECKING:
    from bake.machine import Machine

# A trailing "-" would mean removal to apt-get, and "*" a pattern.
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*[a-z0-9+](=[A-Za-z0-9.+:~-]+)?")
_UNKNOWN = re.compile(
    r"^E: (?:Unable to locate package (\S+)|Version '.+' for '(\S+)' was|Package '(\S+)' has no)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Packages:
    """Packages, each `name` or `name=version`."""

    kind: ClassVar[str] = "packages"
    options: ClassVar[tuple[Option, ...]] = (Option("packages", Takes.TEXTS, required=True),)
    one_of: ClassVar[tuple[str, ...]] = ()

    names: tuple[str, ...]

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Packages:  # noqa: ARG003 - every kind is built alike
        """From a step table. Raises SpecError for what no Debian package can be called."""
        for name in options.texts("packages"):
            if not _NAME.fullmatch(name):
                raise SpecError(
                    f"packages: `{name}` is no package name",
                    hint="write `name` or `name=version`, in lower case",
                )
        return cls(options.texts("packages"))

    def describe(self) -> str:
        """See Step."""
        return f"packages {' '.join(self.names)}"

    def probe(self) -> str:
        """See Step: dpkg-query also knows removed packages whose configuration stayed, so ask the status."""
        bare = " ".join(quote(name.partition("=")[0]) for name in self.names)
        ask = f"have=$(dpkg-query -W -f '${{Package}}=${{Version}} ${{Status}}\\n' {bare} 2>/dev/null)"
        return "; ".join(
            [ask, *(f'echo "$have" | grep -q {quote(_wanted(name))} || exit 1' for name in self.names)]
        )

    def apply(self, machine: Machine) -> None:
        """See Step. The error names the packages that do not exist."""
        names = " ".join(quote(name) for name in self.names)
        result = machine.run(f"{fresh_lists()}\n{INSTALL} install {names}", timeout_seconds=STEP_SECONDS)
        if not result.ok:
            raise StepFailed(self.describe(), result.exit_code, result.output, _hint(result.output))


def _wanted(name: str) -> str:
    package, _, version = name.partition("=")
    literal = re.sub(r"([.*\[\]^$\\])", r"\\\1", f"{package}={version}")
    return f"^{literal}{'' if version else '[^ ]*'} [a-z]* ok installed$"


def _hint(output: str) -> str:
    unknown = sorted({"".join(groups) for groups in _UNKNOWN.findall(output)})
    if not unknown:
        return "read apt-get's last lines above; a broken mirror is worth a second try"
    return f"the base image's release has no such package or version: {', '.join(unknown)}"
