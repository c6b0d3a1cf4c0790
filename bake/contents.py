"""Which files of ours a plan leaves on a machine, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bake.steps.download import Download
from bake.steps.file import File
from bake.steps.step import sha256
from bake.steps.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bake.steps import Step


def contents(steps: Iterable[Step]) -> dict[str, str]:
    """Each file's path on the machine and the SHA-256 of its content."""
    found: dict[str, str] = {}
    for step in steps:
        if isinstance(step, File):
            found[step.path] = sha256(step.content)
        elif isinstance(step, Tree):
            found |= {f"{step.path}/{one.path}": sha256(one.content) for one in step.files}
        elif isinstance(step, Download):
            found[step.path] = step.sha256
    return found
