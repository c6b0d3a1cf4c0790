"""Auto scaling, as the node in a group sees it.

Which load balancers are the group's, and what waits for the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from bootstrap.clock import Clock
from bootstrap.errors import ApiError, BootstrapError

if TYPE_CHECKING:
    from bootstrap.api import Api
    from bootstrap.metadata import Metadata

TARGET_STATE = "meta-data/autoscaling/target-lifecycle-state"
_TRANSITIONS = {
    "Pending:Wait": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "Warmed:Pending:Wait": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "Terminating:Wait": "autoscaling:EC2_INSTANCE_TERMINATING",
    "Warmed:Terminating:Wait": "autoscaling:EC2_INSTANCE_TERMINATING",
}
_SHORTEST_BEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Membership:
    """A node's place in an auto scaling group."""

    group: str
    lifecycle_state: str


@dataclass(frozen=True)
class Hook:
    """A hook that holds the node until it is completed, or `timeout_seconds` pass without a heartbeat."""

    name: str
    timeout_seconds: float


def target_state(metadata: Metadata) -> str:
    """Return where auto scaling wants the node to go, empty outside of a group. Raises MetadataError."""
    return metadata.get(TARGET_STATE) or ""


def membership(api: Api, instance_id: str) -> Membership | None:
    """Return the node's place, None outside of a group. Raises ApiError or UnreachableError."""
    from bootstrap.api import SCALING, members

    found = api.query(SCALING, "DescribeAutoScalingInstances", members("InstanceIds", [instance_id]))
    for one in found.iter("member"):
        return Membership(one.findtext("AutoScalingGroupName", ""), one.findtext("LifecycleState", ""))
    return None


def attached(api: Api, group: str) -> frozenset[str]:
    """Return the names and ARNs of what the group itself registers with."""
    from bootstrap.api import SCALING, members

    found = api.query(SCALING, "DescribeAutoScalingGroups", members("AutoScalingGroupNames", [group]))
    listed = (*found.iterfind(".//LoadBalancerNames/member"), *found.iterfind(".//TargetGroupARNs/member"))
    sources = (one.findtext("Identifier") for one in found.iterfind(".//TrafficSources/member"))
    return frozenset(filter(None, (*(one.text for one in listed), *sources)))


def waiting_hooks(api: Api, place: Membership) -> tuple[Hook, ...]:
    """Return the hooks that hold the node now. Raises ApiError or UnreachableError."""
    from bootstrap.api import SCALING

    transition = _TRANSITIONS.get(place.lifecycle_state)
    if transition is None:
        return ()
    found = api.query(SCALING, "DescribeLifecycleHooks", {"AutoScalingGroupName": place.group})
    return tuple(
        _hook(one) for one in found.iter("member") if one.findtext("LifecycleTransition") == transition
    )


@dataclass
class Gate:
    """What holds a node at the door of its group: kept open while it boots, then opened or shut for good."""

    api: Api
    clock: Clock
    say: Callable[[str], None]
    instance_id: str
    group: str
    hooks: tuple[Hook, ...]
    _last_beat: float = 0.0

    def beat(self) -> None:
        """Tell auto scaling, often enough, that the node is still at it; a failure is said only."""
        every = min((one.timeout_seconds / 3 for one in self.hooks), default=0.0)
        now = self.clock.monotonic()
        if not every or now - self._last_beat < max(every, _SHORTEST_BEAT_SECONDS):
            return
        self._last_beat = now
        for hook in self.hooks:
            self._send("RecordLifecycleActionHeartbeat", hook, {})

    def complete(self, *, well: bool) -> None:
        """Let the node in, or have it replaced.

        A failure is said only, then the hook's own default comes true.
        """
        result = "CONTINUE" if well else "ABANDON"
        for hook in self.hooks:
            if self._send("CompleteLifecycleAction", hook, {"LifecycleActionResult": result}):
                self.say(f"auto scaling: {self.group}/{hook.name} completed: {result}")

    def _send(self, action: str, hook: Hook, more: dict[str, str]) -> bool:
        from bootstrap.api import SCALING

        named = {"AutoScalingGroupName": self.group, "LifecycleHookName": hook.name}
        try:
            self.api.query(SCALING, action, {**named, "InstanceId": self.instance_id, **more})
        except ApiError as why:
            # Completed by someone else, or timed out: there is nothing left to wait for.
            if "No active Lifecycle Action" not in str(why):
                self.say(f"auto scaling: {why}")
            return False
        except BootstrapError as why:
            self.say(f"auto scaling: {why}")
            return False
        return True


def _hook(member: Element) -> Hook:
    return Hook(member.findtext("LifecycleHookName", ""), float(member.findtext("HeartbeatTimeout") or 3600))
