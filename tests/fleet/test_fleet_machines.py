"""Nodes told over SSH and moved in and out of a load balancer that carries traffic: on real machines."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aws.instance import console_tail
from aws.patience import Patience, wait_for
from fleet import bootstrapping, health_check, lb
from fleet.load_balancer import LoadBalancer, Wanted
from fleet.node_order import order
from fleet.node_ssh import KnownHosts, SshReach
from fleet.reach import HostKeyChanged, NodeLost, Target, Unreachable, console_keys

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance

pytestmark = pytest.mark.machines


@pytest.fixture
def reach(desk: Desk, tmp_path: Path) -> SshReach:
    return SshReach("admin", KnownHosts(tmp_path / "known_hosts"), 60, lambda _: desk.key.private)


@pytest.fixture
def target(debian: Instance, debian_machine: Any) -> Target:
    return Target(debian.address, debian.id)


def test_a_command_runs_as_root_and_is_heard_as_it_goes(reach: SshReach, target: Target) -> None:
    heard: list[tuple[float, str]] = []

    def hear(line: str) -> None:
        heard.append((time.monotonic(), line))

    script = "echo first >&2; sleep 2; echo second >&2; id -un; exit 3"
    ended = reach.run(target, ["sh", "-c", script], hear)
    assert (ended.exit_code, ended.stdout) == (3, "root\n")
    assert [line for _, line in heard] == ["first", "second"]
    assert heard[1][0] - heard[0][0] > 1


def test_a_command_that_takes_too_long_is_left_to_itself(
    reach: SshReach, target: Target, desk: Desk, tmp_path: Path
) -> None:
    hasty = SshReach("admin", reach.known, 1, lambda _: desk.key.private)
    with pytest.raises(NodeLost, match="did not end within 1 s"):
        hasty.run(target, ["sleep", "20"], lambda _: None)


def test_the_nodes_console_vouches_for_its_host_key(desk: Desk, target: Target, tmp_path: Path) -> None:
    def shown() -> tuple[str, ...] | None:
        return console_keys(console_tail(desk.cloud, target.instance_id, 2000)) or None

    keys = wait_for("host keys: being printed on the console", shown, Patience(0.5, 60))
    known = KnownHosts(tmp_path / "known_hosts")
    SshReach("admin", known, 60, lambda _: desk.key.private, lambda _: keys).run(
        target, ["true"], lambda _: None
    )
    assert known.of(target.name) <= {one.split()[1] for one in keys}


def test_another_machine_at_a_nodes_address_is_refused(reach: SshReach, target: Target) -> None:
    reach.known.file.write_text(f"{target.name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE\n")
    with pytest.raises(HostKeyChanged, match="than before"):
        reach.run(target, ["true"], lambda _: None)


def test_a_key_that_the_node_does_not_know_opens_nothing(target: Target, tmp_path: Path) -> None:
    from aws.keys import SshKey

    stranger = SshReach("admin", KnownHosts(tmp_path / "known"), 60, lambda _: SshKey.generate().private)
    with pytest.raises(Unreachable, match="no login as admin"):
        stranger.run(target, ["true"], lambda _: None)


def test_a_dead_node_and_one_of_another_image_are_told_apart(reach: SshReach, target: Target) -> None:
    nobody = Target(str(target.address).rpartition(".")[0] + ".250")
    dead, bare = bootstrapping.run(order(), [nobody, target], reach)
    assert "security group" in dead.error
    assert bare.error == "node-bootstrap is not there: is this node of a baked image?"


# --- a load balancer ---


@pytest.fixture
def nodes(desk: Desk, reach: SshReach) -> Iterator[list[Instance]]:
    two = list(desk.launch(count=2))
    serve = "cd $(mktemp -d) && hostname >index.html && exec python3 -m http.server 80"
    for one in two:
        with desk.machine(one) as machine:
            assert machine.run(f"systemd-run -q --unit serve sh -c '{serve}'").ok
    yield two
    desk.terminate(*two)


@pytest.fixture
def balancer(desk: Desk) -> Iterator[LoadBalancer]:
    check = health_check.parse("HTTP:80/", interval_seconds=5, timeout_seconds=2)
    made, _ = lb.ensure(desk.cloud, Wanted("classic", "web", check, draining_seconds=5))
    admitted: Any = {
        "GroupName": "default",
        "IpPermissions": [
            {
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "UserIdGroupPairs": [{"GroupId": made.group_ids[0]}],
            }
        ],
    }
    desk.cloud.ec2.authorize_security_group_ingress(**admitted)
    yield made
    desk.cloud.ec2.revoke_security_group_ingress(**admitted)
    lb.delete(desk.cloud, made)


def test_nodes_join_and_leave_without_a_failed_request(
    desk: Desk, balancer: LoadBalancer, nodes: list[Instance]
) -> None:
    ids = [one.id for one in nodes]
    assert lb.register(desk.cloud, balancer, ids) == ids
    lb.wait_in_service(desk.cloud, balancer, ids)
    address = _address(desk, balancer.name)
    assert len({_answer(address) for _ in range(8)}) == 2
    assert lb.deregister(desk.cloud, balancer, ids[:1]) == ids[:1]
    assert set(lb.health(desk.cloud, balancer)) == {ids[1]}
    assert len({_answer(address) for _ in range(8)}) == 1


def _address(desk: Desk, name: str) -> str:
    from localcloud import control

    (found,) = [one for one in control.status(desk.site)["load_balancers"] if one["name"] == name]
    return str(found["address"])


def _answer(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        return bytes(answer.read())
