"""How a node stands, what is said of it, and what a status flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fleet_wanted import node, wanted

from fleet import shell
from fleet.errors import NotThere
from fleet.load_balancer import Health
from fleet.measures import Measured
from fleet.node import Node, chosen, named, spread
from fleet.service import Look, Standing, standing
from fleet.status import Status, imbalance

HEALTHY = Health("healthy")
SICK = Health("unhealthy", "Target.Timeout", "Request timed out")
BEHIND = ("shop-front",)


STANDINGS: dict[str, tuple[dict[str, Any], dict[str, Health], str, str]] = {
    "operational and healthy": ({}, {"shop-front": HEALTHY}, "up", ""),
    "operational and not registered": ({}, {}, "coming", "not registered with shop-front"),
    "operational and unhealthy": (
        {},
        {"shop-front": SICK},
        "coming",
        "shop-front: unhealthy, Request timed out",
    ),
    "booting": ({"bootstrap_state": "booting"}, {}, "coming", "booting"),
    "without a word": ({"bootstrap_state": ""}, {}, "coming", "no word from its bootstrap yet"),
    "pending": ({"ec2_state": "pending"}, {}, "coming", "the instance is pending"),
    "stranded": (
        {"bootstrap_state": "stranded", "reason": "BUCKET is required"},
        {},
        "lost",
        "stranded: BUCKET is required",
    ),
    "stopped": ({"ec2_state": "stopped"}, {"shop-front": HEALTHY}, "lost", "the instance is stopped"),
}


@pytest.mark.parametrize("case", STANDINGS)
def test_a_node_stands_as_ec2_its_own_word_and_its_load_balancers_say(case: str) -> None:
    changes, health, verdict, why = STANDINGS[case]
    one = Standing(node(1, **changes), health, BEHIND)
    assert (one.verdict, one.why) == (verdict, why)


@pytest.mark.parametrize(
    ("health", "word"),
    [
        ({"a": HEALTHY, "b": HEALTHY}, "healthy"),
        ({"a": HEALTHY, "b": SICK}, "unhealthy"),
        ({"a": HEALTHY}, "unregistered"),
    ],
)
def test_a_nodes_health_in_one_word_is_the_worst_of_all(health: dict[str, Health], word: str) -> None:
    assert Standing(node(1), health, ("a", "b")).word == word


def test_a_node_is_only_asked_about_the_load_balancers_of_its_template() -> None:
    shall = wanted(template={"web": {}, "batch": {"load_balancers": ["front"]}})
    health = {"shop-front": {node(1).id: HEALTHY}, "theirs": {node(1).id: SICK}}
    assert standing(shall, node(1, template="batch"), health).verdict == "up"


def test_a_look_waits_for_what_a_group_has_still_to_launch() -> None:
    up = Standing(node(1), {"shop-front": HEALTHY}, BEHIND)
    assert Look((up,)).all_up
    assert not Look((up,), lacking=1).settled
    assert str(Look((up,), lacking=1)) == "1 of 2 in service, 1 coming"


@pytest.mark.parametrize(
    ("values", "flagged"),
    [
        ({"i-a": 0.3, "i-b": 4.0, "i-c": 0.4}, True),
        ({"i-a": 0.3, "i-b": 4.0}, True),
        ({"i-a": 0.3, "i-b": 0.4, "i-c": 4.0, "i-d": 4.0}, True),
        ({"i-a": 3.0, "i-b": 4.0}, False),
        ({"i-a": 0.01, "i-b": 0.3}, False),
        ({"i-a": 9.0}, False),
    ],
)
def test_a_load_far_above_its_peers_is_flagged_if_it_matters(values: dict[str, float], flagged: bool) -> None:
    assert bool(imbalance("load", values)) is flagged


def test_the_flag_names_both_ends() -> None:
    told = imbalance("load", {"i-a": 0.3, "i-b": 4.0, "i-c": 0.4})
    assert told == "imbalance of load: 0.3 on i-a beside 4.0 on i-b, 10.0 times the median"


def test_a_status_is_degraded_by_a_node_that_should_serve_and_not_by_a_stopped_one() -> None:
    up = Standing(node(1), {"shop-front": HEALTHY}, BEHIND)
    resting = Standing(node(2, ec2_state="stopped"), {}, BEHIND)
    sick = Standing(node(3), {"shop-front": SICK}, BEHIND)
    assert not Status("shop", (up, resting)).degraded
    assert Status("shop", (up, sick)).degraded


def test_a_status_is_one_document() -> None:
    up = Standing(node(1), {"shop-front": HEALTHY}, BEHIND)
    seen = Status("shop", (up,), measured=Measured(load1={node(1).id: 0.5}), now=node(3).launched)
    (told,) = json.loads(json.dumps(seen.document()))["nodes"]
    assert (told["load1"], told["age_seconds"], told["health"]) == (0.5, 120, "healthy")


# --- which nodes ---


def test_a_node_is_named_by_id_beginning_or_address() -> None:
    nodes = [node(1), node(2)]
    assert named(nodes, "10.0.0.2") == nodes[1]
    assert named(nodes, node(1).id) == nodes[0]
    with pytest.raises(NotThere, match="2 nodes 'i-0000'"):
        named(nodes, "i-0000")


def test_some_nodes_are_chosen_from_the_fullest_zones() -> None:
    nodes = [node(1, zone="a"), node(2, zone="a"), node(3, zone="b")]
    assert chosen(nodes, count=1) == (nodes[1],)
    assert chosen(nodes, count=0) == ()
    assert chosen(nodes) == tuple(nodes)


def test_a_template_without_nodes_is_told() -> None:
    with pytest.raises(NotThere, match="no node is of a template 'batch'"):
        chosen([node(1)], "batch")


@pytest.mark.parametrize(
    ("count", "there", "added"),
    [(3, "", {"a": 2, "b": 1}), (1, "a", {"b": 1}), (2, "aa", {"b": 2}), (0, "", {})],
)
def test_nodes_are_spread_evenly_over_zones(count: int, there: str, added: dict[str, int]) -> None:
    existing: list[Node] = [node(number, zone=zone) for number, zone in enumerate(there)]
    assert spread(count, ["a", "b"], existing) == added


# --- onto a node ---


def test_a_shell_knows_the_host_by_the_nodes_id_and_reads_nothing_of_the_users() -> None:
    line = shell.argv(node(1), "admin", Path("/k"), Path("/known"), "id -u; id")
    assert line[:5] == ["ssh", "-F", "/dev/null", "-i", "/k"]
    assert f"HostKeyAlias={node(1).id}" in line
    assert line[-6:] == ["admin@10.0.0.1", "sudo", "-n", "sh", "-c", "'id -u; id'"]


# --- what a node may do ---


def test_a_role_may_read_the_credentials_of_its_inputs_and_no_others() -> None:
    shall = wanted(inputs={"BUCKET": "text:{bucket}", "A": "cred:/shop/a", "B": "cred:db#password"})
    statements = json.loads(shall.roles[0].policy)["Statement"]
    reading = {one["Resource"] for one in statements if one["Action"][0].startswith(("ssm:", "secrets"))}
    assert reading == {"arn:aws:ssm:*:*:parameter/shop/a", "arn:aws:secretsmanager:*:*:secret:db-??????"}


def test_a_role_may_write_to_the_log_group_of_its_inputs_and_no_other() -> None:
    shall = wanted(inputs={"BUCKET": "text:{bucket}", "LOG_GROUP": "text:shop"})
    statements = {one["Sid"]: one for one in json.loads(shall.roles[0].policy)["Statement"]}
    groups = statements["ShipItsStatesAndLogs"]["Resource"]
    assert groups == ["arn:aws:logs:*:*:log-group:shop", "arn:aws:logs:*:*:log-group:shop:*"]
    assert ":log-group:" not in wanted().roles[0].policy


def test_a_role_may_use_its_own_load_balancers_and_bucket_alone() -> None:
    policy = wanted().roles[0].policy
    assert "loadbalancer/shop-*" in policy
    assert "arn:aws:s3:::amibake-shop-123456789012-eu-central-1/*" in policy
