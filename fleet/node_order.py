"""What nodes are told to run: a run list, or one script, with inputs beside those of their launch. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bootstrap.typed import fault
from fleet.errors import FleetError

RunList = Literal["boot", "operational", "decommission"]
RUN_LISTS: tuple[RunList, ...] = get_args(RunList)
COMMAND = "node-bootstrap"
"""The command on a baked node."""


class OrderError(FleetError):
    """What is to run cannot be told to a node."""


@dataclass(frozen=True)
class Order:
    """A run list, or one script."""

    run_list: RunList = "boot"
    script: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    """Names and typed values."""
    dry_run: bool = False

    @property
    def title(self) -> str:
        """What runs, for people."""
        return f"script {self.script}" if self.script else f"run list {self.run_list}"

    @property
    def boots(self) -> bool:
        """Whether it brings nodes into operation: then those that are operational need it not."""
        return self.run_list == "boot" and not self.script

    def argv(self, script: str = "") -> tuple[str, ...]:
        """The command on the node; `script` is one of the operational run list, run one by one."""
        name = script or self.script
        what = ("run", name) if name else (self.run_list,)
        inputs = tuple(part for key, typed in self.inputs for part in ("--input", f"{key}={typed}"))
        return (COMMAND, *what, *inputs, *(("--dry-run",) if self.dry_run else ()), "--json")


def order(
    run_list: str = "", script: str = "", inputs: Sequence[str] = (), *, dry_run: bool = False
) -> Order:
    """The order that these words give. Raises OrderError; never repeats an input's value."""
    if run_list and script:
        raise OrderError("both --list and --script are given", "give one of them")
    for known in RUN_LISTS:
        if known == (run_list or "boot"):
            return Order(known, script, tuple(map(_input, inputs)), dry_run)
    raise OrderError(f"there is no run list {run_list!r}", f"choose one of: {', '.join(RUN_LISTS)}")


def _input(text: str) -> tuple[str, str]:
    name, equals, typed = text.partition("=")
    if not equals or not name.isidentifier():
        raise OrderError("an input is not written NAME=TYPE:VALUE", "such as --input BUCKET=text:photos")
    if wrong := fault(typed):
        raise OrderError(f"the input {name} {wrong}", "such as --input BUCKET=text:photos")
    return name, typed
