"""The node's state: what it is, and the file it is kept in."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from bootstrap.errors import StateError
from bootstrap.managed_file import draft_of

if TYPE_CHECKING:
    from pathlib import Path

Word = Literal["booting", "operational", "stranded"]


@dataclass(frozen=True)
class State:
    """What `node-bootstrap status --json` prints; `seconds` is per step, `since` is ISO 8601, UTC."""

    state: Word
    since: str
    reason: str = ""
    instance_id: str = ""
    changed: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the JSON document."""
        return json.dumps(asdict(self), indent=2) + "\n"


def load(path: Path) -> State:
    """Read the state. Raises StateError when this boot has written none, or it is no state."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return State(**{**document, "changed": tuple(document["changed"])})
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
