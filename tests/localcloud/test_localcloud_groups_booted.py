"""Security groups between two machines: what answers whom, and from when on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance
    from bake.machine import Machine

pytestmark = pytest.mark.machines

PORT = 8080
DIAL = "bash -c '</dev/tcp/{address}/{port}'"
SILENT = 124
"""What `timeout` ends with: packets that are dropped, unlike a port that is closed, get no answer at all."""


@dataclass(frozen=True)
class Pair:
    """A client and a server in groups of their own; the server lets in nobody but the desk."""

    ec2: Any
    client: Instance
    server: Instance
    theirs: str
    ours: str
    shell: Machine

    def reaches(self) -> bool:
        """Whether a new connection of the client is answered; a refusal would be an answer too many."""
        dialled = DIAL.format(address=self.server.address, port=PORT)
        ended = self.shell.run(f"timeout 1 {dialled}").exit_code
        assert ended in (0, SILENT)
        return ended == 0

    def authorize(self, source: dict[str, Any]) -> None:
        self.ec2.authorize_security_group_ingress(GroupId=self.ours, IpPermissions=[_rule(source)])

    def revoke(self, source: dict[str, Any]) -> None:
        self.ec2.revoke_security_group_ingress(GroupId=self.ours, IpPermissions=[_rule(source)])

    def join(self, *groups: str) -> None:
        """Make the client a member of just these groups."""
        self.ec2.modify_instance_attribute(InstanceId=self.client.id, Groups=list(groups))


def _rule(source: dict[str, Any]) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, **source}


@pytest.fixture(scope="module")
def group(desk: Desk) -> Iterator[Callable[[str], str]]:
    """Make a group that lets the desk in on SSH; gone with the module."""
    made: list[str] = []

    def make(name: str) -> str:
        group = desk.cloud.ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
        made.append(group)
        ours = f"{desk.site.desk_address}/32"
        desk.cloud.ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp=ours
        )
        return group

    yield make
    for group in made:
        desk.cloud.ec2.delete_security_group(GroupId=group)


@pytest.fixture(scope="module")
def pair(desk: Desk, group: Callable[[str], str]) -> Iterator[Pair]:
    theirs, ours = group("of-the-client"), group("of-the-server")
    ids = [*desk.ask(group_ids=(theirs,)), *desk.ask(group_ids=(ours,))]
    client, server = _running(desk, ids)
    with desk.machine(server) as machine:
        machine.run(f"systemd-run python3 -m http.server {PORT}")
        dialled = DIAL.format(address="localhost", port=PORT)
        waited = machine.run(f"until {dialled}; do sleep 0.1; done", timeout_seconds=30)
        assert waited.ok, waited.output
    with desk.machine(client) as shell:
        yield Pair(desk.cloud.ec2, client, server, theirs, ours, shell)
    desk.terminate(client, server)


def _running(desk: Desk, ids: list[str]) -> tuple[Instance, ...]:
    from aws.instance import wait_running

    return wait_running(desk.cloud, ids)


def test_a_port_without_a_rule_does_not_answer_and_one_with_a_rule_does_at_once(pair: Pair) -> None:
    assert not pair.reaches()
    pair.authorize({"IpRanges": [{"CidrIp": f"{pair.client.address}/32"}]})
    assert pair.reaches()
    pair.revoke({"IpRanges": [{"CidrIp": f"{pair.client.address}/32"}]})
    assert not pair.reaches()


def test_a_rule_for_a_group_lets_members_in_and_nobody_else(pair: Pair, group: Callable[[str], str]) -> None:
    others = group("of-others")
    pair.authorize({"UserIdGroupPairs": [{"GroupId": pair.theirs}]})
    assert pair.reaches()
    pair.join(others)
    assert not pair.reaches()
    pair.join(others, pair.theirs)
    assert pair.reaches()
    pair.revoke({"UserIdGroupPairs": [{"GroupId": pair.theirs}]})
    assert not pair.reaches()
