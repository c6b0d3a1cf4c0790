from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from bootstrap.boot import boot
from bootstrap.errors import ApiError
from bootstrap.node import Node
from bootstrap.scaling import Gate, Hook, Membership, attached, waiting_hooks
from bootstrap.web import Answer

STATE = "http://169.254.169.254/latest/meta-data/autoscaling/target-lifecycle-state"
HOOKS = """<R><m>
<member><LifecycleHookName>boot</LifecycleHookName>
<LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING</LifecycleTransition>
<HeartbeatTimeout>60</HeartbeatTimeout></member>
<member><LifecycleHookName>leave</LifecycleHookName>
<LifecycleTransition>autoscaling:EC2_INSTANCE_TERMINATING</LifecycleTransition></member>
</m></R>"""
PLACE = "<AutoScalingGroupName>web</AutoScalingGroupName><LifecycleState>{}</LifecycleState>"
ME = f"<R><m><member>{PLACE}</member></m></R>"


class Api:
    """Answers of auto scaling by action; what was asked is kept."""

    def __init__(self, answers: Mapping[str, str | Exception]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, str]]] = []

    def query(self, _: Any, action: str, parameters: Mapping[str, str]) -> ET.Element:
        self.asked.append((action, dict(parameters)))
        answer = self.answers.get(action, "<R/>")
        if isinstance(answer, Exception):
            raise answer
        return ET.fromstring(answer)  # noqa: S314


def actions(api: Api) -> list[str]:
    return [action for action, _ in api.asked]


@pytest.fixture
def gate(clock: Any, said: list[str]) -> Any:
    def made(api: Api) -> Gate:
        clock.sleep(1000)
        return Gate(api, clock, said.append, "i-1", "web", (Hook("boot", 60),))  # type: ignore[arg-type]

    return made


@pytest.mark.parametrize(
    ("state", "names"), [("Pending:Wait", ["boot"]), ("Terminating:Wait", ["leave"]), ("InService", [])]
)
def test_only_hooks_of_the_transition_under_way_hold_a_node(state: str, names: list[str]) -> None:
    api = Api({"DescribeLifecycleHooks": HOOKS})
    assert [one.name for one in waiting_hooks(api, Membership("web", state))] == names  # type: ignore[arg-type]


def test_what_is_attached_to_a_group_is_known_by_names_arns_and_sources() -> None:
    found = """<R><m><member><LoadBalancerNames><member>a</member></LoadBalancerNames>
    <TargetGroupARNs><member>arn:b</member></TargetGroupARNs>
    <TrafficSources><member><Identifier>arn:c</Identifier></member></TrafficSources></member></m></R>"""
    api = Api({"DescribeAutoScalingGroups": found})
    assert attached(api, "web") == {"a", "arn:b", "arn:c"}  # type: ignore[arg-type]


def test_a_heartbeat_is_sent_three_times_within_the_hooks_time(gate: Any, clock: Any) -> None:
    api = Api({})
    held = gate(api)
    for _ in range(61):
        held.beat()
        clock.sleep(1)
    assert actions(api) == ["RecordLifecycleActionHeartbeat"] * 4


@pytest.mark.parametrize(("well", "result"), [(True, "CONTINUE"), (False, "ABANDON")])
def test_the_hook_is_completed_by_how_the_boot_went(gate: Any, well: bool, result: str) -> None:
    api = Api({})
    gate(api).complete(well=well)
    ((action, asked),) = api.asked
    assert (action, asked["LifecycleActionResult"], asked["InstanceId"]) == (
        "CompleteLifecycleAction",
        result,
        "i-1",
    )


def test_a_hook_that_is_completed_already_is_no_trouble(gate: Any, said: list[str]) -> None:
    gone = ApiError("No active Lifecycle Action found with instance ID i-1", code="ValidationError")
    gate(Api({"CompleteLifecycleAction": gone})).complete(well=True)
    assert said == []


def test_a_hook_that_cannot_be_completed_is_said(gate: Any, said: list[str]) -> None:
    gate(Api({"CompleteLifecycleAction": ApiError("denied", code="AccessDenied")})).complete(well=True)
    assert said == ["auto scaling: denied"]


def in_a_group(node: Node, web: Any, state: str) -> list[dict[str, list[str]]]:
    """Let the node be in an auto scaling group; what it asks of it is returned."""
    web.answers[STATE] = [Answer(200, "InService")]
    asked: list[dict[str, list[str]]] = []
    answers = {"DescribeAutoScalingInstances": ME.format(state), "DescribeLifecycleHooks": HOOKS}

    def answer(method: str, url: str, *rest: Any) -> Answer:
        if "amazonaws.com" not in url:
            found: Answer = web(method, url, *rest)
            return found
        asked.append(parse_qs(rest[2].decode()))
        return Answer(200, answers.get(asked[-1]["Action"][0], "<R/>"))

    object.__setattr__(node, "ask", answer)
    object.__setattr__(node, "environment", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"})
    return asked


def test_a_node_of_a_group_is_let_in_when_its_boot_went_well(node: Node, web: Any, clock: Any) -> None:
    clock.sleep(1000)
    asked = in_a_group(node, web, "Pending:Wait")
    boot(node)
    names = [one["Action"][0] for one in asked]
    assert names[:2] == ["DescribeAutoScalingInstances", "DescribeLifecycleHooks"]
    assert "RecordLifecycleActionHeartbeat" in names
    assert asked[-1]["LifecycleActionResult"] == ["CONTINUE"]


def test_a_node_of_a_group_that_is_stranded_is_replaced(node: Node, web: Any, scripts: Any) -> None:
    asked = in_a_group(node, web, "Pending:Wait")
    scripts.failing("first", "no")
    boot(node)
    assert asked[-1]["LifecycleActionResult"] == ["ABANDON"]


def test_a_node_in_service_asks_its_group_nothing_more(node: Node, web: Any) -> None:
    asked = in_a_group(node, web, "InService")
    boot(node)
    asked.clear()
    boot(node)
    assert asked == []
