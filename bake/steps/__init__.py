"""The kinds of steps a spec may name, and nothing else."""

from __future__ import annotations

from typing import ClassVar, Protocol

from bake.steps.absent import Absent
from bake.steps.command import Command
from bake.steps.download import Download
from bake.steps.file import File
from bake.steps.folder import Folder
from bake.steps.group import Group
from bake.steps.link import Link
from bake.steps.option import Desk, Option, Options
from bake.steps.packages import Packages
from bake.steps.step import Step, check
from bake.steps.sysctl import Sysctl
from bake.steps.tree import Tree
from bake.steps.unit import Unit
from bake.steps.upgrade import Upgrade
from bake.steps.user import User
from bake.steps.venv import Venv


class Kind(Protocol):
    """A class of steps: its key in a step table, the options beside it, and how to build one."""

    kind: ClassVar[str]
    options: ClassVar[tuple[Option, ...]]
    one_of: ClassVar[tuple[str, ...]]

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Step:
        """A step from the checked options of its table."""
        ...


_KINDS: tuple[type[Kind], ...] = (
    Packages, Upgrade, File, Tree, Folder, Link, Absent, Venv,
    Unit, User, Group, Sysctl, Command, Download,
)  # fmt: skip

KINDS: dict[str, type[Kind]] = {kind.kind: kind for kind in _KINDS}

__all__ = ["KINDS", "Kind", "Step", "check"]
