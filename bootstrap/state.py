"""The node's state: what it is, what its scripts did, and the file this is kept in."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bootstrap.errors import StateError
from bootstrap.managed_file import draft_of

Word = Literal["booting", "operational", "stranded", "decommissioning", "decommissioned"]


@dataclass(frozen=True)
class Result:
    """What a script did: what it changed, how long it took, and why it failed, if it did."""

    name: str
    changed: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "changed": list(self.changed),
            "seconds": self.seconds,
            "error": self.error,
        }

    def line(self) -> str:
        """Return the journal's line."""
        what = f"failed: {self.error}" if self.error else ", ".join(self.changed) or "nothing to do"
        return f"{self.name}: {what} ({self.seconds:.3f} s)"


@dataclass(frozen=True)
class State:
    """What `node-bootstrap status --json` prints; `since` is ISO 8601, UTC.

    `told` says whether the instance's tags show this state.
    """

    state: Word
    since: str
    reason: str = ""
    instance_id: str = ""
    scripts: tuple[Result, ...] = ()
    told: bool = False

    @property
    def changed(self) -> list[str]:
        """Everything that the scripts changed."""
        return [what for one in self.scripts for what in one.changed]

    def to_json(self) -> str:
        """Return the JSON document."""
        document = {
            "instance_id": self.instance_id,
            "state": self.state,
            "since": self.since,
            "reason": self.reason,
            "scripts": [one.document() for one in self.scripts],
            "told": self.told,
        }
        return json.dumps(document, indent=2) + "\n"


def load(path: Path) -> State:
    """Read the state. Raises StateError when this boot has written none, or it is no state."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        scripts = tuple(Result(**{**one, "changed": tuple(one["changed"])}) for one in held["scripts"])
        return State(**{**held, "scripts": scripts})
    except FileNotFoundError as why:
        raise StateError(
            f"{path}: nothing has booted this node yet", hint="systemctl status node-bootstrap"
        ) from why
    except (OSError, ValueError, TypeError, KeyError) as why:
        raise StateError(f"{path}: is no state: {why}", hint="run node-bootstrap boot") from why


def save(state: State, path: Path) -> None:
    """Write the state in one rename. Raises OSError when the disk refuses."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with draft_of(path) as draft:
        os.fchmod(draft, 0o644)
        os.write(draft, state.to_json().encode())
