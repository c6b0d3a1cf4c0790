"""Nodes that boot, are killed, rebooted, stopped and copied, on real machines of the local cloud."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from node_machines import BOOT, Cluster, boot, changed, unique

from bootstrap.typed import array

# Of each action, as many calls as its throttling lasts.
CALLS = 60

pytestmark = pytest.mark.machines

FIND_NEWER = (
    "find / -xdev -newer /root/before -not -path '/proc/*' -not -path '/run/*' -not -path '/tmp*' -type f"
)

# The metadata service answers again after a minute, AWS some time after that.
AWAY = """
ip route add blackhole 169.254.169.254
nft add table t
nft add chain t out '{{type filter hook output priority 0;}}'
nft add rule t out ip daddr {gateway} tcp dport {port} drop
(sleep 60; ip route del blackhole 169.254.169.254; sleep 20; nft delete table t) >/dev/null 2>&1 &
"""


@contextmanager
def operational(cluster: Cluster, balancer: str, **more: Any) -> Iterator[tuple[Any, Any]]:
    """A node in service, and a root shell on it."""
    node = cluster.launch({"CLASSIC_LOAD_BALANCERS": array(balancer)}, **more)
    try:
        assert cluster.wait_for_state(node.id, "operational", "stranded") == "operational", cluster.tags(
            node.id
        )
        with cluster.desk.machine(node) as machine:
            yield node, machine
    finally:
        cluster.desk.terminate(node)


def test_a_node_comes_into_service_by_itself_and_a_second_boot_changes_nothing(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        assert cluster.health(balancer, node.id) == "InService"
        machine.run("touch /root/before; sleep 0.1; systemctl show -p ActiveEnterTimestamp web > /tmp/before")
        writes = ("CreateTags", "RegisterInstancesWithLoadBalancer")
        with cluster.counted(*writes, "DescribeInstanceHealth", "DescribeLoadBalancers") as count:
            again = boot(machine)
            assert count() == {
                "CreateTags": 0,
                "RegisterInstancesWithLoadBalancer": 0,
                "DescribeInstanceHealth": 1,
                "DescribeLoadBalancers": 0,
            }
        assert (again["state"], changed(again)) == ("operational", [])
        written = machine.run(FIND_NEWER).stdout.split()
        assert [path for path in written if not path.startswith(("/var/log", "/sys"))] == []
        assert machine.run("systemctl show -p ActiveEnterTimestamp web | cmp - /tmp/before").ok


def test_a_boot_that_is_killed_between_any_two_scripts_is_made_good_by_the_next(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        for after in range(len(BOOT)):
            names = [*BOOT[: after + 1], "crash", *BOOT[after + 1 :]]
            quoted = ", ".join(f'"{name}"' for name in names)
            machine.run(f"echo '{{\"boot\": [{quoted}]}}' > /etc/amibake/run-lists.json")
            machine.run(
                ". /etc/profile; node-bootstrap decommission; systemctl stop web; rm -f /srv/www/message"
            )
            assert cluster.health(balancer, node.id) == ""
            killed = machine.run(
                "touch /var/lib/crash; . /etc/profile; node-bootstrap boot", timeout_seconds=60
            )
            assert killed.exit_code == 137
            made_good = boot(machine)
            assert (made_good["state"], cluster.health(balancer, node.id)) == ("operational", "InService")
            assert machine.run("cat /srv/www/message").stdout == "message: none\n"
            assert changed(boot(machine)) == []


def test_a_boot_that_is_killed_in_the_middle_of_registering_is_made_good_by_the_next(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        machine.run(". /etc/profile; node-bootstrap decommission")
        cluster.refuse("DescribeLoadBalancers", 1000)  # asked for after registering, before waiting
        machine.run(". /etc/profile; nohup setsid node-bootstrap boot >/tmp/said 2>&1 &")
        deadline = time.monotonic() + 30
        while not cluster.health(balancer, node.id) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert cluster.health(balancer, node.id), "never registered"
        machine.run("kill -KILL $(cat /run/amibake/lock); pkill -KILL -f bootstrap; sleep 0.5")
        cluster.heal()
        again = boot(machine)
        assert (again["state"], cluster.health(balancer, node.id)) == ("operational", "InService")
        assert [what for what in changed(again) if what.startswith("registered")] == []


def test_of_two_boots_at_once_one_waits_and_nothing_is_done_twice(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        machine.run(". /etc/profile; node-bootstrap decommission; systemctl stop web")
        machine.run(
            'echo \'{"boot": ["slow", "configure", "apache", "register"]}\' > /etc/amibake/run-lists.json'
        )
        both = (
            "for i in 1 2; do node-bootstrap boot > /tmp/said$i 2>&1 & done; wait; cat /tmp/said1 /tmp/said2"
        )
        with cluster.counted("RegisterInstancesWithLoadBalancer") as count:
            said = machine.run(f". /etc/profile; {both}", timeout_seconds=120).stdout
            assert count() == {"RegisterInstancesWithLoadBalancer": 1}
        assert said.count("another run is under way") == 1
        assert said.count(f"registered with {balancer}\n") + said.count(f"registered with {balancer} (") == 2
        assert cluster.tags(node.id)["bootstrap:state"] == "operational"


def test_a_node_that_is_rebooted_in_the_middle_of_its_first_boot_comes_into_service(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    lists = {"boot": ["configure", "reboot", "apache", "register"]}
    node = cluster.launch({"CLASSIC_LOAD_BALANCERS": array(balancer)}, lists)
    try:
        assert cluster.wait_for_state(node.id, "operational", "stranded") == "operational"
        with cluster.desk.machine(node) as machine:
            assert machine.run("test -e /var/lib/rebooted").ok
        assert cluster.health(balancer, node.id) == "InService"
    finally:
        cluster.desk.terminate(node)


def test_a_node_that_is_never_healthy_is_stranded_and_never_registered(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        machine.run(". /etc/profile; node-bootstrap decommission; rm /srv/www/health")
        with cluster.counted("RegisterInstancesWithLoadBalancer") as count:
            state = boot(machine)
            assert count() == {"RegisterInstancesWithLoadBalancer": 0}
        assert state["state"] == "stranded"
        assert (
            "apache: http://127.0.0.1/health did not answer 200 within 20 s; last: status 404"
            in state["reason"]
        )
        assert cluster.tags(node.id)["bootstrap:state"] == "stranded"


def test_metadata_and_aws_that_are_away_for_a_minute_are_waited_for(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    with operational(cluster, balancer) as (node, machine):
        machine.run(". /etc/profile; node-bootstrap decommission")
        cut = AWAY.format(gateway=cluster.desk.site.gateway, port=cluster.desk.site.port)
        machine.run(cut, timeout_seconds=30)
        state = boot(machine)
        assert (state["state"], state["instance_id"]) == ("operational", node.id)
        assert cluster.health(balancer, node.id) == "InService"


def test_a_load_balancer_that_throttles_nine_calls_of_ten_takes_the_node_in_the_end(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    asked = ("DescribeInstanceHealth", "RegisterInstancesWithLoadBalancer", "DescribeLoadBalancers")
    started = time.time()
    for action, first in itertools.product(asked, range(1, CALLS, 10)):
        cluster.refuse(action, 9, nth=first)
    node = cluster.launch({"CLASSIC_LOAD_BALANCERS": array(balancer)})
    try:
        state = cluster.wait_for_state(node.id, "operational", "stranded", budget_seconds=400)
        assert state == "operational", cluster.tags(node.id)
        own = [one["action"] for one in cluster.calls(started) if one["caller"] == node.address]
        assert {own.count(action) % 10 for action in asked} == {0}, own
        cluster.heal()
        assert cluster.health(balancer, node.id) == "InService"
    finally:
        cluster.heal()
        cluster.desk.terminate(node)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"CLASSIC_LOAD_BALANCERS": array("nope")}, "there is no classic load balancer nope in "),
        ({"BUCKET": "text:nope"}, "configure: the bucket nope"),
        ({"MESSAGE": "cred:web/nope"}, "configure: cred:web/nope cannot be read: "),
        ({"MESSAGE": "hunter2"}, "inputs: MESSAGE has no known type"),
    ],
)
def test_what_is_wrong_with_the_inputs_strands_the_node_with_its_name(
    cluster: Cluster, at_the_cloud: None, inputs: dict[str, str], reason: str
) -> None:
    node = cluster.launch(inputs)
    try:
        cluster.wait_for_state(node.id, "stranded")
        assert reason in cluster.tags(node.id)["bootstrap:reason"]
    finally:
        cluster.desk.terminate(node)


def test_a_secret_reaches_the_file_it_is_for_and_nothing_else(cluster: Cluster, at_the_cloud: None) -> None:
    secret = unique("hush")
    boto3.client("ssm").put_parameter(Name=f"/{secret}", Value=f"{secret}-value", Type="SecureString")
    node = cluster.launch({"MESSAGE": f"cred:/{secret}"})
    try:
        cluster.wait_for_state(node.id, "operational")
        with cluster.desk.machine(node) as machine:
            assert machine.run("cat /srv/www/message").stdout == f"message: {secret}-value\n"
            places = "/run/amibake /etc/amibake /var/log /var/lib/amibake /var/lib/cloud"
            # The secret is not in the command itself, which sudo writes into the journal.
            look = f"cut -d' ' -f2 /srv/www/message > /root/secret; grep -rF -f /root/secret {places}"
            found = machine.run(f"{look}; journalctl -b | grep -F -f /root/secret")
            assert (found.stdout, machine.run("cat /root/secret").stdout) == ("", f"{secret}-value\n")
    finally:
        cluster.desk.terminate(node)


def test_a_node_that_is_stopped_leaves_drained_and_joins_again_when_it_is_started(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    from aws.instance import start, stop

    with operational(cluster, balancer) as (node, _):
        stop(cluster.desk.cloud, node.id)
        assert cluster.health(balancer, node.id) == ""
        assert cluster.tags(node.id)["bootstrap:state"] == "decommissioned"
        start(cluster.desk.cloud, node.id)
        cluster.wait_for_state(node.id, "operational")
        assert cluster.health(balancer, node.id) == "InService"


def test_a_reboot_leaves_the_node_registered(cluster: Cluster, balancer: str, at_the_cloud: None) -> None:
    with operational(cluster, balancer) as (node, machine):
        writes = ("DeregisterInstancesFromLoadBalancer", "RegisterInstancesWithLoadBalancer")
        before = machine.run(
            "cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestamp"
        ).stdout
        with cluster.counted(*writes) as count:
            cluster.desk.cloud.ec2.reboot_instances(InstanceIds=[node.id])
            cluster.wait_for_state(node.id, "decommissioned")
            cluster.wait_for_state(node.id, "operational")
            assert count() == dict.fromkeys(writes, 0)
        with cluster.desk.machine(node) as again:
            assert again.run("systemctl show -p UserspaceTimestamp").stdout not in before
            assert "the node stays registered" in again.run("journalctl -u node-decommission").stdout


def test_an_image_of_a_registered_node_starts_as_nobody(
    cluster: Cluster, balancer: str, at_the_cloud: None
) -> None:
    ec2 = cluster.desk.cloud.ec2
    with operational(cluster, balancer) as (node, _):
        image = ec2.create_image(InstanceId=node.id, Name=unique("copy"), NoReboot=True)["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
        (copy,) = cluster.desk.launch(image, profile=cluster.profile)
        try:
            cluster.wait_for_state(copy.id, "operational")
            with cluster.desk.machine(copy) as machine:
                assert not machine.run("test -e /etc/amibake/inputs.json").ok
            assert cluster.health(balancer, copy.id) == ""
            assert cluster.health(balancer, node.id) == "InService"
        finally:
            cluster.desk.terminate(copy)
            ec2.deregister_image(ImageId=image)
