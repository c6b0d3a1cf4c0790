"""What a shipped script is given: its inputs, whether it may act, and how it says what it changed.

The protocol is the same for scripts in any language: a line appended to the file $BOOTSTRAP_CHANGES for
each change;
nothing may be changed when $BOOTSTRAP_DRY_RUN is set; the last line written is the reason of a failure.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bootstrap import services, web
from bootstrap.clock import Clock
from bootstrap.errors import BootstrapError, InputsError
from bootstrap.execution import execute, in_copy
from bootstrap.managed_file import ManagedFile
from bootstrap.node import Node

if TYPE_CHECKING:
    from bootstrap.api import Api
    from bootstrap.metadata import Metadata

_BRIEF_SECONDS = 20.0


@dataclass(frozen=True)
class Act:
    """The doors of a script. `environment` holds its inputs, and what the runner tells it."""

    environment: Mapping[str, str]
    run: services.Run
    ask: web.Ask
    clock: Clock
    say: Callable[[str], None]
    note: Callable[[str], None]

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self.environment.get("BOOTSTRAP_DRY_RUN"))

    @property
    def instance_id(self) -> str:
        """Who this node is, empty where no metadata service answers."""
        return self.environment.get("EC2_INSTANCE_ID", "")

    @property
    def given(self) -> dict[str, str]:
        """All typed inputs of the node, those that other scripts declare among them."""
        return dict(json.loads(self.environment.get("BOOTSTRAP_GIVEN", "{}")))

    def text(self, name: str, default: str = "") -> str:
        """Return an input."""
        return self.environment.get(name, default)

    def texts(self, name: str) -> list[str]:
        """Return an input that is an array."""
        return [each for each in self.environment.get(name, "").split(",") if each]

    def number(self, name: str, default: float) -> float:
        """Return an input that is a number, 0 at least. Raises InputsError when it is none."""
        text = self.environment.get(name, "")
        try:
            found = float(text) if text else default
        except ValueError:
            found = -1.0
        if not 0 <= found < float("inf"):
            raise InputsError(f"{name} is no number of at least 0", f'write it like "text:{default:g}"')
        return found

    def flag(self, name: str) -> bool:
        """Return an input that is true or false. Raises InputsError when it is neither."""
        text = self.environment.get(name) or "false"
        if text not in ("true", "false"):
            raise InputsError(f"{name} is neither true nor false", 'write "text:true" or "text:false"')
        return text == "true"

    def change(self, what: str, do: Callable[[], object]) -> None:
        """Change something and say so; in a dry run only say so."""
        if not self.dry_run:
            do()
        self.note(what)

    def file(self, wanted: ManagedFile) -> bool:
        """Make a file as wanted; return whether it was not. Raises FileError."""
        done = wanted.foretold() if self.dry_run else wanted.ensure()
        if done:
            self.note(done)
        return bool(done)

    @functools.cached_property
    def api(self) -> Api:
        """The way to AWS."""
        return self._node.api(self.environment.get("AWS_REGION", ""))()

    @functools.cached_property
    def brief_api(self) -> Api:
        """The way to AWS for what can be told another time: it is given up after seconds."""
        return replace(self.api, patience_seconds=_BRIEF_SECONDS)

    @property
    def metadata(self) -> Metadata:
        """The metadata service."""
        return self._node.metadata

    @functools.cached_property
    def _node(self) -> Node:
        return Node(self.environment, self.ask, self.clock, self.say, execute, in_copy)


def perform(script: Callable[[Act], object]) -> NoReturn:
    """Do what a shipped script does, in a process of its own."""
    changes = os.environ.get("BOOTSTRAP_CHANGES")

    def note(what: str) -> None:
        if changes:
            with Path(changes).open("a", encoding="utf-8") as file:
                file.write(f"{what}\n")
        else:
            _say(f"changed: {what}")

    try:
        script(Act(dict(os.environ), services.run, web.ask, Clock(), _say, note))
    except BootstrapError as why:
        _say(f"error: {why}" + (f" ({why.hint})" if why.hint else ""))
        raise SystemExit(1) from None
    raise SystemExit(0)


def _say(line: str) -> None:
    sys.stderr.write(" ".join(line.split()) + "\n")
    sys.stderr.flush()
