"""`invoke bootstrap`: whom it chooses, with which key, and when it asks no cloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest
from invoke.config import Config
from invoke.context import Context

from aws.keys import SshKey
from aws.ownership import tag_list
from fleet import bootstrap_tasks, login_key, node_here, node_ssh
from fleet.bootstrap_view import Bootstrapped
from fleet.errors import FleetError, NotThere
from fleet.naming import DEPLOYMENT, STATE, Names
from fleet.node_ssh import KnownHosts, SshReach
from fleet.reach import Ended, Hear, HostKeyChanged, KeyUnusable, Reach, Target

if TYPE_CHECKING:
    from aws.session import Cloud

ANSWER = '{"instance_id": "", "state": "operational", "scripts": []}'


class Willing:
    """Nodes that do all that they are told."""

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        return Ended(0, ANSWER, "")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AMIBAKE_STATE", str(tmp_path))
    monkeypatch.setattr(node_here, "is_node", lambda: False)
    return tmp_path


@pytest.fixture
def cloud(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setattr(bootstrap_tasks, "connect", lambda: mock_cloud)
    monkeypatch.setattr(bootstrap_tasks, "_over_ssh", lambda *_: Willing())
    return mock_cloud


def node(cloud: Cloud, state: str, deployment: str = "shop") -> str:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    image = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].register_image("web").id
    (made,) = cloud.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"]
    tags = {DEPLOYMENT: deployment, STATE: state}
    cloud.ec2.create_tags(Resources=[made["InstanceId"]], Tags=tag_list(tags))
    return made["InstanceId"]


def call(**options: Any) -> Bootstrapped:
    done = bootstrap_tasks.run.body(Context(Config()), **options)
    assert isinstance(done, Bootstrapped)
    return done


def told(done: Bootstrapped) -> set[str]:
    return {one.target.instance_id for one in done.outcomes}


def test_a_boot_is_for_the_deployments_nodes_that_are_not_operational(cloud: Cloud) -> None:
    node(cloud, "operational")
    stranded, booting = node(cloud, "stranded"), node(cloud, "booting")
    elsewhere = node(cloud, "stranded", "other")
    assert told(call(deployment="shop")) == {stranded, booting}
    assert told(call()) == {stranded, booting, elsewhere}


def test_a_script_or_another_list_is_for_all_nodes(cloud: Cloud) -> None:
    all_nodes = {node(cloud, "operational"), node(cloud, "stranded")}
    assert told(call(deployment="shop", script="register")) == all_nodes
    assert told(call(deployment="shop", list_="operational")) == all_nodes


def test_named_nodes_are_told_whatever_their_state(cloud: Cloud) -> None:
    one = node(cloud, "operational")
    assert told(call(node=[one])) == {one}


def test_a_node_that_does_not_run_is_left_out(cloud: Cloud) -> None:
    stopped = node(cloud, "stranded")
    cloud.ec2.stop_instances(InstanceIds=[stopped])
    with pytest.raises(NotThere, match="no running node of shop"):
        call(deployment="shop")


def test_nothing_to_do_is_said(cloud: Cloud) -> None:
    node(cloud, "operational")
    done = call(deployment="shop")
    assert done.__rich__() == "all 1 nodes of shop are operational: nothing to do"
    assert not done.degraded


def test_addresses_may_stand_beside_nodes(cloud: Cloud) -> None:
    one = node(cloud, "stranded")
    done = call(node=[one], host=["192.0.2.9"])
    assert [str(each.target).split()[0] for each in done.outcomes] == [one, "192.0.2.9"]


@pytest.mark.parametrize(
    ("options", "on_node", "none"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"host": ["192.0.2.9"]}, False, True),
        ({"deployment": "shop"}, True, False),
        ({"node": ["i-1"], "host": ["192.0.2.9"]}, False, False),
    ],
)
def test_a_cloud_is_asked_only_where_it_knows_more(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], on_node: bool, none: bool
) -> None:
    monkeypatch.setattr(node_here, "is_node", lambda: on_node)
    assert bootstrap_tasks.needs_no_cloud(options) is none


def test_on_a_node_it_runs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_here, "is_node", lambda: True)
    monkeypatch.setattr(node_here, "Here", Willing)
    (one,) = call().outcomes
    assert str(one.target) == "this node"


# --- keys ---


def over_ssh(cloud: Cloud | None, identity: str = "") -> SshReach:
    reach: Reach = bootstrap_tasks._over_ssh(cloud, "admin", identity, 60)
    assert isinstance(reach, SshReach)
    return reach


def test_a_deployments_nodes_are_opened_by_its_key_and_others_by_the_agents(mock_cloud: Cloud) -> None:
    names = Names("shop")
    login_key.make(mock_cloud, names, names.tags())
    reach = over_ssh(mock_cloud)
    assert reach.pkey(Target("192.0.2.9", "i-1", "shop")) == login_key.private(mock_cloud, names)
    assert reach.pkey(Target("192.0.2.9")) is None


def test_an_identity_opens_all(mock_cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key")
    reach = over_ssh(mock_cloud, str(tmp_path / "key"))
    assert {reach.pkey(one) for one in (Target("a", "i-1", "shop"), Target("b"))} == {"a key"}
    with pytest.raises(FleetError, match="cannot be read"):
        over_ssh(None, str(tmp_path / "none"))


def test_a_text_that_is_no_key_is_said_to_be_none() -> None:
    with pytest.raises(KeyUnusable):
        node_ssh._private_key(Target("a"), "no key")
    assert node_ssh._private_key(Target("a"), SshKey.generate().private)


# --- host keys ---


def meets(reach: SshReach, key: paramiko.PKey) -> None:
    node_ssh._Pinning(reach, Target("192.0.2.9", "i-1")).missing_host_key(None, "", key)


def shows(state: Path, *keys: str) -> SshReach:
    return SshReach("admin", KnownHosts(state / "known_hosts"), 60, lambda _: None, lambda _: keys)


@pytest.fixture(scope="module")
def two_keys() -> tuple[paramiko.PKey, paramiko.PKey]:
    return paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()


def test_the_first_host_key_seen_is_pinned_and_another_is_refused_later(
    state: Path, two_keys: tuple[paramiko.PKey, paramiko.PKey]
) -> None:
    meets(shows(state), two_keys[0])
    meets(shows(state), two_keys[0])
    assert (state / "known_hosts").read_text().count("\n") == 1
    with pytest.raises(HostKeyChanged, match="than before") as caught:
        meets(shows(state), two_keys[1])
    assert "ssh-keygen -f" in caught.value.hint


def test_a_host_key_that_the_console_does_not_show_is_refused_at_once(
    state: Path, two_keys: tuple[paramiko.PKey, paramiko.PKey]
) -> None:
    right = f"ecdsa-sha2-nistp256 {two_keys[0].get_base64()}"
    with pytest.raises(HostKeyChanged, match="than on its console"):
        meets(shows(state, right), two_keys[1])
    meets(shows(state, right), two_keys[0])
    assert KnownHosts(state / "known_hosts").of("i-1") == {two_keys[0].get_base64()}


def test_lines_that_are_no_keys_are_passed_over(state: Path) -> None:
    (state / "known_hosts").write_text("\n# a comment\ni-1 ssh-rsa\ni-1 ssh-rsa AAAA root@web\n")
    assert KnownHosts(state / "known_hosts").of("i-1") == {"AAAA"}


def test_what_a_node_writes_is_heard_line_by_line() -> None:
    heard: list[str] = []
    stream = node_ssh._Lines(heard.append)
    for part in ("hostname| a", "b\nstate: ", "operational\n"):
        stream.write(part)
    assert heard == ["hostname| ab", "state: operational"]
