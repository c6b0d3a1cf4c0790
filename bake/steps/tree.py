"""A folder of this project, whole, on the machine."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.errors import PlanError
from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must, sha256, upload

if TYPE_CHECKING:
    from pathlib import Path

    from bake.machine import Machine

_BYTECODE = ("__pycache__", ".pyc")


@dataclass(frozen=True)
class Shipped:
    """A file of the tree: its path inside, its content, and whether it may be executed."""

    path: str
    content: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """Permissions on the machine: readable by all, writable by the owner."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True)
class Tree:
    """Everything under `path` is as shipped: no file missing, changed or stray. Byte code does not count."""

    kind: ClassVar[str] = "tree"
    options: ClassVar[tuple[Option, ...]] = (
        Option("tree", Takes.PLACE, required=True),
        Option("source", Takes.FOLDER, required=True),
        Option("owner", Takes.TEXT, default="root"),
        Option("group", Takes.TEXT, default="root"),
        Option("exclude", Takes.TEXTS, default=()),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str
    files: tuple[Shipped, ...]
    owner: str = "root"
    group: str = "root"

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Tree:
        """From a step table. Raises PlanError for an empty folder or a link in it."""
        files = _collect(options.path("source"), options.texts("exclude"), desk)
        return cls(options.text("tree"), files, options.text("owner"), options.text("group"))

    def describe(self) -> str:
        """See Step."""
        return f"tree {self.path} ({len(self.files)} files, {self.owner}:{self.group})"

    def probe(self) -> str:
        """See Step: one hash over kinds, modes, owners, paths and contents."""
        wanted = sha256(self.manifest().encode())
        skip = r"\( -name __pycache__ -o -name '*.pyc' \) -prune -o"
        return (
            f'cd {quote(self.path)} && test ! -L {quote(self.path)} && test "$({{ find . {skip}'
            f" -printf '%y %m %u %g ./%P\\n'; find . {skip} -type f -exec sha256sum {{}} +; }}"
            f' | LC_ALL=C sort | sha256sum)" = "{wanted}  -"'
        )

    def apply(self, machine: Machine) -> None:
        """See Step: unpacked beside the old tree, then swapped."""
        held, path, draft = (
            upload(machine, self.archive()),
            quote(self.path),
            quote(f"{self.path}.amibake-new"),
        )
        must(
            self,
            machine,
            f"rm -rf {draft} && mkdir -p -m 0755 {draft}"
            f" && tar -C {draft} --no-same-owner --same-permissions -xf {held}"
            f" && chown -R {quote(f'{self.owner}:{self.group}')} {draft}"
            f" && rm -rf {path} && mv -T {draft} {path} && rm -f {held}",
        )

    def folders(self) -> tuple[str, ...]:
        """Every folder inside, parents first; the tree itself is the empty path."""
        found = {""}
        for file in self.files:
            parts = file.path.split("/")[:-1]
            found.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
        return tuple(sorted(found))

    def manifest(self) -> str:
        """What the probe's pipeline prints on a machine where everything is so."""
        owned = f"{self.owner} {self.group}"
        lines = [f"d 755 {owned} ./{folder}" for folder in self.folders()]
        for file in self.files:
            lines.append(f"f {file.mode:o} {owned} ./{file.path}")
            lines.append(f"{sha256(file.content)}  ./{file.path}")
        return "".join(f"{line}\n" for line in sorted(lines))

    def archive(self) -> bytes:
        """The tree as a tar archive, the same bytes every time."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for folder in filter(None, self.folders()):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            for file in self.files:
                entry = tarfile.TarInfo(file.path)
                entry.size, entry.mode = len(file.content), file.mode
                tar.addfile(entry, io.BytesIO(file.content))
        return buffer.getvalue()


def _collect(source: Path, exclude: tuple[str, ...], desk: Desk) -> tuple[Shipped, ...]:
    files = []
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if path.is_dir() or any(part.endswith(_BYTECODE) for part in inside.parts):
            continue
        if any(inside.match(pattern) for pattern in exclude):
            continue
        if path.is_symlink() or not path.is_file():
            raise PlanError(f"{path}: a tree ships regular files only", hint="use a `link` step for the link")
        files.append(Shipped(inside.as_posix(), desk.read(path), bool(path.stat().st_mode & 0o100)))
    if not files:
        raise PlanError(f"{source}: there is nothing in it to ship")
    return tuple(files)
