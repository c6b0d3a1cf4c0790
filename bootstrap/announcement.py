"""Telling AWS the node's state, behind the work: tags of the instance, and an event in CloudWatch Logs.

Best effort: a node that cannot tell says so in the journal, goes on, and tells again at its next boot.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootstrap.errors import BootstrapError
from bootstrap.state import State

if TYPE_CHECKING:
    from bootstrap.api import Api

LONGEST_TAG = 256
Behind = Callable[[Callable[[], None]], int]
"""Does something in a copy of this process and returns its id."""


def tags(state: State) -> dict[str, str]:
    """Return the tags that show a state; a tag holds no line breaks here and 256 characters at most."""
    return {
        "bootstrap:state": state.state,
        "bootstrap:since": state.since,
        "bootstrap:reason": " ".join(state.reason.split())[:LONGEST_TAG],
    }


@dataclass
class Announcer:
    """Tells the states of a node one after the other. `end` must be called."""

    api: Callable[[], Api]
    behind: Behind
    log_group: str = ""
    _under_way: int = field(default=0, repr=False)

    def tell(self, state: State) -> None:
        """Begin to tell a state; the one before it is told first."""
        self.end()
        self._under_way = self.behind(lambda: self._tell(state))

    def end(self) -> bool:
        """Wait until all is told; return whether it was."""
        if not self._under_way:
            return True
        pid, self._under_way = self._under_way, 0
        return os.waitpid(pid, 0)[1] == 0

    def _tell(self, state: State) -> None:
        try:
            tag(self.api(), state)
            if self.log_group:
                log(self.api(), self.log_group, state)
        except (BootstrapError, OSError) as why:
            hint = getattr(why, "hint", "")
            sys.stderr.write(f"state: not told to AWS: {why}" + (f" ({hint})\n" if hint else "\n"))
            raise SystemExit(1) from why


def tag(api: Api, state: State) -> None:
    """Set the instance's tags. Raises ApiError, UnreachableError or MetadataError."""
    from bootstrap.api import EC2

    asked = {"ResourceId.1": state.instance_id}
    for number, (key, value) in enumerate(tags(state).items(), 1):
        asked |= {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
    api.query(EC2, "CreateTags", asked)


def log(api: Api, group: str, state: State) -> None:
    """Put an event into the group's stream of this instance. Raises like `tag`."""
    from bootstrap.log_stream import LogStream

    event = {
        "timestamp": int(api.clock.now().timestamp() * 1000),
        "message": json.dumps(json.loads(state.to_json())),
    }
    LogStream(api, group, state.instance_id).put([event])
