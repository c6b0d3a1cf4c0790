"""A node that tells CloudWatch Logs what it did, from its boot to its last lines, on a real machine."""

from __future__ import annotations

import boto3
import pytest
from node_machines import BOOT, Cluster, unique

from aws.instance import stop
from aws.patience import Patience, wait_for

pytestmark = pytest.mark.machines

# As Apache writes it, and a warning of somebody's.
WRITE = """
mkdir -p /var/log/apache2
date '+[%a %b %d %T.%6N %Y] [wsgi:error] [pid 7] went wrong' >> /var/log/apache2/error.log
logger -p user.warning -t somebody odd
"""


def told(group: str, stream: str) -> list[str]:
    """All that a node's stream holds, in the order of its time."""
    logs = boto3.client("logs")
    try:
        pages = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [str(one["message"]) for one in pages["events"]]


def wait_to_be_told(group: str, stream: str, line: str) -> list[str]:
    """All of a stream, once it holds a line."""

    def look() -> list[str] | None:
        found = told(group, stream)
        return found if any(line in one for one in found) else None

    return wait_for(f"{line}: to be shipped", look, Patience(0.5, 60))


def test_a_nodes_boot_its_errors_and_its_last_lines_are_in_cloudwatch(
    cluster: Cluster, at_the_cloud: None
) -> None:
    group = unique("nodes")
    node = cluster.launch({"LOG_GROUP": f"text:{group}", "METRICS_SECONDS": "text:2"})
    try:
        cluster.wait_for_state(node.id, "operational")
        booted = wait_to_be_told(group, node.id, "node-bootstrap: state: operational")
        ran = [one for one in booted for name in BOOT if one.startswith(f"node-bootstrap: {name}: ")]
        assert len(ran) == len(BOOT)
        with cluster.desk.machine(node) as machine:
            machine.run(WRITE)
        wait_to_be_told(group, node.id, "apache2: [wsgi:error] [pid 7] went wrong")
        stop(cluster.desk.cloud, node.id)
        last = told(group, node.id)
        assert last.count("somebody: odd") == 1
        for once in ("hostname", "deregister", "stop-apache"):
            assert len([one for one in last if one.startswith(f"node-bootstrap: {once}: ")]) == 1, last
    finally:
        cluster.desk.terminate(node)


def test_a_node_that_is_stranded_tells_its_log_nevertheless(cluster: Cluster, at_the_cloud: None) -> None:
    group = unique("nodes")
    inputs = {"LOG_GROUP": f"text:{group}", "METRICS_SECONDS": "text:2", "MESSAGE": "cred:/nope"}
    node = cluster.launch(inputs)
    try:
        cluster.wait_for_state(node.id, "stranded")
        wait_to_be_told(group, node.id, "node-bootstrap: configure: failed: cred:/nope cannot be read")
    finally:
        cluster.desk.terminate(node)
