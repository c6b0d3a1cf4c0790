"""An account that shall exist."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class User:
    """An account with its own primary group, no password, and at least the given further groups."""

    kind: ClassVar[str] = "user"
    options: ClassVar[tuple[Option, ...]] = (
        Option("user", Takes.TEXT, required=True),
        Option("system", Takes.FLAG, default=True),
        Option("home", Takes.PLACE, default="/nonexistent"),
        Option("shell", Takes.PLACE, default="/usr/sbin/nologin"),
        Option("groups", Takes.TEXTS, default=()),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    name: str
    system: bool = True
    home: str = "/nonexistent"
    shell: str = "/usr/sbin/nologin"
    groups: tuple[str, ...] = ()

    @classmethod
    def build(cls, options: Options, desk: Desk) -> User:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        home, shell = options.text("home"), options.text("shell")
        return cls(options.text("user"), options.flag("system"), home, shell, options.texts("groups"))

    def describe(self) -> str:
        """See Step."""
        also = f" in {', '.join(self.groups)}" if self.groups else ""
        return f"{'system ' if self.system else ''}user {self.name}{also}"

    def probe(self) -> str:
        """See Step."""
        name = quote(self.name)
        record = f"getent passwd {name} | cut -d: -f6,7"
        tests = [f'test "$({record})" = {quote(f"{self.home}:{self.shell}")}']
        tests += [f"id -nG {name} | tr ' ' '\\n' | grep -qxF {quote(group)}" for group in self.groups]
        return " && ".join(tests)

    def apply(self, machine: Machine) -> None:
        """See Step."""
        name = quote(self.name)
        place = f"{quote(self.home)} --shell {quote(self.shell)} {name}"
        make = "--system --no-create-home" if self.system else "--create-home"
        change = f"usermod --home {place}"
        create = f"useradd {make} --user-group --home-dir {place}"
        lines = [f"if getent passwd {name} >/dev/null; then {change}; else {create}; fi || exit"]
        lines += [f"usermod --append --groups {quote(group)} {name} || exit" for group in self.groups]
        must(
            self,
            machine,
            "\n".join(lines),
            hint="further groups must exist: add a `group` step before this one",
        )
