"""A file fetched from the network by the machine itself, and verified there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.errors import SpecError
from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine

_FETCH = (
    "import shutil,sys,urllib.request as u;"
    "shutil.copyfileobj(u.urlopen(sys.argv[1],timeout=60),open(sys.argv[2],'wb'))"
)


@dataclass(frozen=True)
class Download:
    """A file at `path` whose SHA-256 is known beforehand."""

    kind: ClassVar[str] = "download"
    options: ClassVar[tuple[Option, ...]] = (
        Option("download", Takes.PLACE, required=True),
        Option("url", Takes.TEXT, required=True),
        Option("sha256", Takes.TEXT, required=True),
        Option("mode", Takes.MODE, default="0644"),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str
    url: str
    sha256: str
    mode: int = 0o644

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Download:  # noqa: ARG003 - every kind is built alike
        """From a step table. Raises SpecError for a digest that is none."""
        if not re.fullmatch("[0-9a-f]{64}", options.text("sha256")):
            raise SpecError(
                "download: `sha256` is not 64 hexadecimal digits", hint="take it from `sha256sum`"
            )
        return cls(
            options.text("download"), options.text("url"), options.text("sha256"), options.mode("mode")
        )

    def describe(self) -> str:
        """See Step."""
        return f"download {self.path} from {self.url}"

    def probe(self) -> str:
        """See Step."""
        path = quote(self.path)
        return (
            f"test -f {path} && test \"$(stat -c '%U %G %a' {path})\" = 'root root {self.mode:o}'"
            f' && test "$(sha256sum < {path})" = "{self.sha256}  -"'
        )

    def apply(self, machine: Machine) -> None:
        """See Step: three tries, verified before the file gets its name."""
        path = quote(self.path)
        fetch = f'python3 -c {quote(_FETCH)} {quote(self.url)} "$draft"'
        must(
            self,
            machine,
            "draft=$(mktemp) && trap 'rm -f \"$draft\"' EXIT || exit\n"
            f"{fetch} || {{ sleep 2; {fetch}; }} || {{ sleep 8; {fetch}; }} || exit\n"
            f'have=$(sha256sum < "$draft"); test "$have" = "{self.sha256}  -"'
            f' || {{ echo "got sha256 $have, wanted {self.sha256}" >&2; exit 1; }}\n'
            f'install -D -o root -g root -m {self.mode:04o} "$draft" {path}',
            hint="if the digest differs, the file behind the address has changed: look before trusting it",
        )
