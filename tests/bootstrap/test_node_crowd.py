"""Many nodes that boot at the same moment behind one load balancer: how often each of them calls AWS."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from node_machines import Cluster

from aws.patience import Patience, wait_for
from aws.userdata import node_user_data
from bootstrap.typed import array

pytestmark = pytest.mark.machines

NODES = 10
# Between two questions a node lets pass four fifths of a quarter of the check's interval, at the least.
LEAST_PAUSE_SECONDS = 0.8 * 5 / 4
ONCE = {
    "RegisterInstancesWithLoadBalancer": 1,
    "DescribeLoadBalancers": 1,  # how long its check takes
    "CreateTags": 2,  # booting, operational
}


def test_ten_nodes_that_boot_together_register_once_each_and_ask_seldom(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    started = time.time()
    inputs = {"CLASSIC_LOAD_BALANCERS": array(balancer), "DEPLOYMENT_SIZE": f"text:{NODES}"}
    told = {"profile": cluster.profile, "group_ids": (cluster.group,), "user_data": node_user_data(inputs)}
    nodes = cluster.desk.launch(cluster.image_id, NODES, **told)
    try:

        def all_serve() -> object:
            found = cluster.elb.describe_instance_health(LoadBalancerName=balancer)["InstanceStates"]
            return [one["State"] for one in found].count("InService") == NODES or None

        wait_for("ten nodes: in service", all_serve, Patience(1, 240))
        for one in nodes:
            cluster.wait_for_state(one.id, "operational")
        calls = cluster.calls(started)
    finally:
        cluster.desk.terminate(*nodes)
    _show(calls, {one.address for one in nodes})
    for one in nodes:
        own = [call for call in calls if call["caller"] == one.address]
        counts = Counter(call["action"] for call in own)
        asked = [call["time"] for call in own if call["action"] == "DescribeInstanceHealth"]
        assert counts == {**ONCE, "DescribeInstanceHealth": len(asked)}
        # Once before it registers, once right after it, then with pauses.
        assert len(asked) <= 2 + (asked[-1] - asked[0]) / LEAST_PAUSE_SECONDS


def _show(calls: list[dict[str, Any]], addresses: set[str]) -> None:
    """What a person wants to see of it: `pytest -rP`."""
    own = [call for call in calls if call["caller"] in addresses]
    for action, times in Counter(call["action"] for call in own).most_common():
        when = [call["time"] for call in own if call["action"] == action]
        busiest = max(Counter(int(moment) for moment in when).values())
        print(f"{action}: {times}, within {max(when) - min(when):.1f} s, {busiest} in the busiest second")  # noqa: T201
