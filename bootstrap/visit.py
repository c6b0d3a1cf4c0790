"""One run of this room on a node: who it is, what it is to do, and the telling of what becomes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bootstrap import state as state_file
from bootstrap.announcement import Announcer
from bootstrap.errors import BootstrapError, StateError
from bootstrap.inheritance import disown
from bootstrap.inputs import load_given
from bootstrap.metadata import Identity
from bootstrap.node import METADATA_TOKEN, Node
from bootstrap.preparation import Preparation
from bootstrap.runner import Runner
from bootstrap.secrets import Vault
from bootstrap.shelf import Shelved
from bootstrap.state import Result, State, Word
from bootstrap.turn import turn

if TYPE_CHECKING:
    from bootstrap.api import Api


@dataclass
class Visit:
    """A run that has its turn. `more` are inputs beside those the node was launched with."""

    node: Node
    me: Identity
    before: State | None
    announcer: Announcer
    api: Callable[[], Api]
    more: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    def report(self, state: State) -> State:
        """Keep a state, say it, and begin to tell AWS.

        A dry run does none of it, nor does one that is known.
        """
        if self.dry_run:
            return state
        same = self.before is not None and (self.before.state, self.before.reason) == (
            state.state,
            state.reason,
        )
        if same and self.before is not None:
            state = replace(state, since=self.before.since, told=self.before.told)
        self.node.say(f"state: {state.state}" + (f": {state.reason}" if state.reason else ""))
        state_file.save(state, self.node.places.state)
        if self.me.instance_id and not (same and state.told):
            self.announcer.tell(state)
        return state

    def conclude(self, state: State) -> State:
        """Report a state that stays, and wait until AWS has been told."""
        state = self.report(state)
        if not self.dry_run and self.me.instance_id and self.announcer.end() and not state.told:
            state = replace(state, told=True)
            state_file.save(state, self.node.places.state)
        return state

    def new(self, word: Word, reason: str = "", scripts: Sequence[Result] = ()) -> State:
        """Return a state that begins now."""
        since = self.node.clock.now().isoformat(timespec="milliseconds")
        return State(word, since, reason, self.me.instance_id, tuple(scripts))

    def runner(
        self, ready: Preparation, scripts: Sequence[Shelved], meanwhile: Callable[[], None], **told: str
    ) -> Runner:
        """Return what runs these scripts; `told` is put into their environment."""
        node = self.node
        environment = {
            **node.environment,
            "AWS_REGION": self.me.region,
            "EC2_INSTANCE_ID": self.me.instance_id,
        }
        passed = {name: value for name, value in environment.items() if name.startswith(("AWS_", "EC2_"))}
        packages = dict.fromkeys(each for one in scripts for each in one.header.packages)
        return Runner(
            shelf=ready.shelf,
            execute=node.execute,
            clock=node.clock,
            say=node.say,
            given=ready.given,
            environment=environment,
            secret=Vault(self.api),
            meanwhile=meanwhile,
            longest_seconds=ready.settings.script_budget_seconds,
            passed={
                **passed,
                "RS_PACKAGES": " ".join(packages),
                METADATA_TOKEN: node.metadata.token,
                **told,
            },
            dry_run=self.dry_run,
        )


@contextmanager
def visit(node: Node, more: Mapping[str, str] | None = None, *, dry_run: bool = False) -> Iterator[Visit]:
    """Wait for the turn and find out who this node is and was. Raises OSError when no state can be kept."""
    with turn(node.places.lock, node.say):
        me = node.identity()
        if not dry_run:
            disown(node.places.record, (node.places.inputs, node.places.run_lists), me.instance_id, node.say)
        api = node.api(me.region)
        announcer = Announcer(api, node.behind, log_group(node))
        try:
            yield Visit(node, me, _before(node, me), announcer, api, more or {}, dry_run)
        finally:
            announcer.end()


def why_failed(node: Node, why: Exception) -> str:
    """Return the reason a state shows for an error; one that is a bug of ours goes to the journal whole."""
    if isinstance(why, BootstrapError):
        return f"{why} ({why.hint})" if why.hint else str(why)
    node.say("".join(traceback.format_exception(why)))
    return f"unexpected {type(why).__name__}: {why}"


def log_group(node: Node) -> str:
    """Return the CloudWatch Logs group this node was told of, empty when none."""
    try:
        typed = load_given(node.places.inputs).get("LOG_GROUP", "ignore")
    except BootstrapError:
        return ""  # said when the inputs are checked
    return typed.removeprefix("text:") if typed.startswith("text:") else ""


def _before(node: Node, me: Identity) -> State | None:
    """The state this very instance was in; what another one left in an image counts for nothing."""
    try:
        before = state_file.load(node.places.state)
    except StateError:
        return None
    return before if before.instance_id == me.instance_id else None
