"""What a boot costs that changes nothing; ten nodes that boot together, and ten told to from the desk."""

from __future__ import annotations

import os
import time
from collections import Counter
from shlex import quote
from typing import TYPE_CHECKING, Any

from bench import baking, cpu
from bench.errors import BenchError
from bench.figures import Figure, median

if TYPE_CHECKING:
    from bench.yard import Node, Yard

_RUNS = 10
_CROWD = 10
# The application looks at its bucket by itself, as often as its health is asked for.
_OF_THE_APP = "ListObjectsV2"
_READING = ("Describe", "List", "Get")
# Wall, user and system seconds of each boot, as bash tells them.
_BOOTS = (
    f". /etc/profile; TIMEFORMAT='%R %U %S'; for _ in $(seq {_RUNS}); do"
    " { time node-bootstrap boot >/dev/null 2>/root/said; } 2>&1 || exit; done"
)


def measure(yard: Yard) -> tuple[Figure, ...]:
    """One node's second boots, then ten nodes at once."""
    with yard.nodes() as (node,):
        _settled(yard, node)
        second = _second_boots(yard, node)
        one = _told(yard, node)
    with yard.nodes(_CROWD) as nodes:
        crowd = _crowd(yard, nodes)
        began = cpu.computer_seconds()
        ten = _told(yard, *nodes)
        spent = cpu.computer_seconds() - began
    return (
        *second,
        *crowd,
        median("desk_bootstrap_one_node_seconds", one),
        median("desk_bootstrap_ten_nodes_seconds", ten),
        Figure("desk_bootstrap_ratio_ten_to_one", sorted(ten)[1] / sorted(one)[1], 2),
        # The desk, ten nodes and the cloud share this computer's cores: no less is possible on them.
        Figure("desk_bootstrap_ten_nodes_least_seconds", spent / len(ten) / (os.cpu_count() or 1)),
    )


def _second_boots(yard: Yard, node: Node) -> tuple[Figure, ...]:
    began = time.time()
    with yard.ground.reached(node.address) as machine:
        told = machine.run(f"bash -c {quote(_BOOTS)}", timeout_seconds=120)
    taken = [tuple(map(float, line.split())) for line in told.stdout.splitlines()]
    if told.exit_code or len(taken) != _RUNS:
        raise BenchError(f"a second boot failed: {told.output[-500:]}")
    yard.ground.say(f"a second boot: {told.stdout.splitlines()} (wall, user, system seconds)")
    calls = Counter(one["action"] for one in yard.calls(node, began))
    writes = sum(times for action, times in calls.items() if not action.startswith(_READING))
    return (
        median("second_boot_seconds", [wall for wall, *_ in taken], 0.5),
        median("second_boot_cpu_seconds", [user + system for _, user, system in taken]),
        Figure("second_boot_describes_of_its_load_balancer", calls["DescribeInstanceHealth"] / _RUNS, 1),
        Figure("second_boot_mutating_calls", writes, 0),
    )


def _crowd(yard: Yard, nodes: list[Node]) -> tuple[Figure, ...]:
    """How often ten nodes call that boot together, until the last is in service and has said so."""
    served = yard.in_service(*nodes)
    _settled(yard, *nodes)
    calls = [_calls(yard, one) for one in nodes]
    total: Counter[str] = sum(calls, Counter())
    asked = [one["DescribeInstanceHealth"] for one in calls]
    others = [
        sum(times for action, times in one.items() if action not in ("DescribeInstanceHealth", _OF_THE_APP))
        for one in calls
    ]
    yard.ground.say(", ".join(f"{action} {times}" for action, times in total.most_common()))
    return (
        Figure("ten_nodes_in_service_seconds", served - nodes[0].asked),
        Figure("ten_nodes_calls", sum(total.values())),
        Figure("ten_nodes_registrations", total["RegisterInstancesWithLoadBalancer"], _CROWD),
        # To register, to know what the check implies, and to tag two states.
        Figure("ten_nodes_calls_of_one_but_polls", max(others), 4),
        Figure("ten_nodes_polls_of_one", max(asked)),
    )


def _calls(yard: Yard, node: Node) -> Counter[str]:
    return Counter(one["action"] for one in yard.calls(node))


def _told(yard: Yard, *nodes: Node) -> list[float]:
    """Seconds of `invoke bootstrap` on these nodes, which have nothing to do; whole processes."""
    hosts = [f"--host={one.address}" for one in nodes]
    runs = [_invoked(yard, hosts) for _ in range(3)]
    yard.ground.say(f"invoke bootstrap on {len(nodes)}: {', '.join(f'{one:.2f}' for one in runs)} s")
    return runs


def _invoked(yard: Yard, hosts: list[str]) -> float:
    identity = f"--identity={yard.ground.key_file}"
    called = baking.invoke(yard.ground, "bootstrap", *hosts, identity)
    states: list[Any] = [one["state"] for one in called.document["nodes"]]
    if states != ["operational"] * len(hosts):
        raise BenchError(f"nodes were left {', '.join(map(str, states))}")
    return called.seconds


def _settled(yard: Yard, *nodes: Node) -> None:
    """Wait until nodes are in service and their boot is over, to the last call."""
    yard.in_service(*nodes)
    for one in nodes:
        with yard.ground.reached(one.address) as machine:
            machine.run("systemctl is-system-running --wait", timeout_seconds=180)
