"""One file with known content, owner and mode."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must, sha256, upload

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class File:
    """A regular file at `path`; folders above it are made as needed."""

    kind: ClassVar[str] = "file"
    options: ClassVar[tuple[Option, ...]] = (
        Option("file", Takes.PLACE, required=True),
        Option("source", Takes.FILE),
        Option("template", Takes.FILE),
        Option("content", Takes.TEXT),
        Option("owner", Takes.TEXT, default="root"),
        Option("group", Takes.TEXT, default="root"),
        Option("mode", Takes.MODE, default="0644"),
    )
    one_of: ClassVar[tuple[str, ...]] = ("source", "template", "content")

    path: str
    content: bytes
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644

    @classmethod
    def build(cls, options: Options, desk: Desk) -> File:
        """From a step table. Raises RenderError."""
        owner, group, mode = options.text("owner"), options.text("group"), options.mode("mode")
        return cls(options.text("file"), _content(options, desk), owner, group, mode)

    def describe(self) -> str:
        """See Step."""
        return f"file {self.path} ({len(self.content)} bytes, {self.owner}:{self.group} {self.mode:04o})"

    def probe(self) -> str:
        """See Step."""
        path, owned = quote(self.path), quote(f"{self.owner} {self.group} {self.mode:o}")
        return (
            f"test -f {path} && test ! -L {path} && test \"$(stat -c '%U %G %a' {path})\" = {owned}"
            f' && test "$(sha256sum < {path})" = "{sha256(self.content)}  -"'
        )

    def apply(self, machine: Machine) -> None:
        """See Step: through a temporary neighbour, so that no reader ever meets half a file."""
        held, path, draft = upload(machine, self.content), quote(self.path), quote(f"{self.path}.amibake-new")
        owned = f"-o {quote(self.owner)} -g {quote(self.group)} -m {self.mode:04o}"
        must(self, machine, f"install -D {owned} {held} {draft} && mv -fT {draft} {path} && rm -f {held}")


def _content(options: Options, desk: Desk) -> bytes:
    if options.has("source"):
        return desk.read(options.path("source"))
    if options.has("template"):
        return desk.render(options.path("template"))
    return options.text("content").encode()
