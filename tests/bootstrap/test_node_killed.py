"""Boots that are killed at any moment, on a real machine."""

from __future__ import annotations

import random

import pytest
from node_machines import Cluster, boot, changed

from bootstrap.typed import array

pytestmark = pytest.mark.machines

TIMES = 10
# About what a boot takes up to its registration.
LONGEST_MILLISECONDS = 1500
# Each boot finds something to do. What a killed one has started may live on, as after a real kill.
KILL = """
rm -f /srv/www/message; systemctl stop web
. /etc/profile
node-bootstrap boot >/dev/null 2>&1 & boot=$!
sleep {seconds}
kill -KILL $boot
wait $boot
"""


def test_a_boot_that_is_killed_at_any_moment_ten_times_over_is_made_good_by_the_next(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    node = cluster.launch({"CLASSIC_LOAD_BALANCERS": array(balancer)})
    moments = [random.randrange(LONGEST_MILLISECONDS) / 1000 for _ in range(TIMES)]  # noqa: S311 - no secret
    try:
        cluster.wait_for_state(node.id, "operational", "stranded")
        with cluster.desk.machine(node) as machine:
            machine.run(". /etc/profile; node-bootstrap decommission", timeout_seconds=60)
            ends = [machine.run(KILL.format(seconds=one)).exit_code for one in moments]
            assert 137 in ends
            made_good = boot(machine)
            assert made_good["state"] == "operational", (made_good, moments)
            assert cluster.health(balancer, node.id) == "InService"
            assert machine.run("cat /srv/www/message").stdout == "message: none\n"
            again = boot(machine)
            assert (again["state"], changed(again)) == ("operational", []), moments
    finally:
        cluster.desk.terminate(node)
