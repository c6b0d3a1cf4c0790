"""A deployment on real machines, from its file to a request through its name, and to nothing left."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, counted, writes
from fleet_account import desk as at_desk

from aws.sweep import Rules, sweep
from fleet import dns_check, lb, operations, rescaling
from fleet.deployment import Deployment, load
from fleet.dns_question import ask
from fleet.names_in_route53 import Record
from fleet.operations import Nodes
from fleet.outcome import Done

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.session import Cloud

pytestmark = pytest.mark.machines

# Plain Debian machines that serve a page stand for baked nodes; that they are operational is said for them.
FILE = """
name = "trial"
[bucket]
owned = true
[template.web]
count = 2
image = "{image}"
open = [{{ port = 80, from = "load_balancers" }}, {{ port = 22, from = "desk" }}]
[load_balancer.front]
type = "{kind}"
listeners = ["{listener}"]
health_check = "{check}"
interval_seconds = 5
timeout_seconds = 2
draining_seconds = 1
[dns]
zone = "trial.test"
make_zone = true
name = "www.trial.test"
ttl_seconds = 5
"""


BALANCING = {
    "classic": ("HTTP:80", "HTTP:80/"),
    "application": ("HTTP:80", "HTTP:80/"),
    "network": ("TCP:80", "TCP:80"),
}


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    kind = getattr(request, "param", "classic")
    listener, check = BALANCING[kind]
    monkeypatch.setattr("fleet.launch_templates.user_data", lambda *_: _serving())
    path = tmp_path / "trial.toml"
    text = FILE.format(image=desk.debian, kind=kind, listener=listener, check=check)
    # A network load balancer has no group of its own: its nodes admit who asks, which here is this desk.
    path.write_text(text.replace('"load_balancers"', '"0.0.0.0/0"') if kind == "network" else text)
    return load(path)


@pytest.fixture
def trial(desk: Desk, deployment: Deployment) -> Iterator[tuple[Cloud, Deployment]]:
    with booting(desk.cloud):
        try:
            yield desk.cloud, deployment
        finally:
            operations.down(at_desk(desk.cloud, deployment))


def test_a_deployment_lives_from_its_file_to_nothing_left(
    trial: tuple[Cloud, Deployment], desk: Desk
) -> None:
    cloud, wanted = trial
    _bring_up(desk, wanted)

    with counted(cloud) as calls:
        assert _done(operations.up(at_desk(cloud, wanted))).changed == ()
    assert writes(calls) == []

    operations.stop(at_desk(cloud, wanted), Nodes(count=1))
    assert len(_asked(desk, "www.trial.test")) == 1
    assert not _done(operations.start(at_desk(cloud, wanted), Nodes())).degraded
    assert len(_done(rescaling.scale(at_desk(cloud, wanted), "web", 3)).nodes) == 3
    assert len(_asked(desk, "www.trial.test")) == 3

    operations.down(at_desk(cloud, wanted))
    assert _done(operations.down(at_desk(cloud, wanted))).changed == ()
    swept = sweep(cloud, Rules(older_than=timedelta()), dry_run=True)
    assert not [one for one in (*swept.removed, *swept.kept) if "trial" in one.id]


@pytest.mark.parametrize("deployment", ["application", "network"], indirect=True)
def test_the_other_load_balancers_carry_traffic_to_all_nodes_and_leave_nothing(
    trial: tuple[Cloud, Deployment], desk: Desk
) -> None:
    cloud, wanted = trial
    _bring_up(desk, wanted)
    operations.down(at_desk(cloud, wanted))
    assert lb.ours(cloud, "trial") == []
    groups = cloud.elbv2.describe_target_groups()["TargetGroups"]
    assert not [one for one in groups if one["TargetGroupName"].startswith("trial")]
    assert _done(operations.down(at_desk(cloud, wanted))).changed == ()


def _bring_up(desk: Desk, wanted: Deployment) -> None:
    """Bring both nodes into service, and see that both answer for the name."""
    up = _done(operations.up(at_desk(desk.cloud, wanted)))
    assert [one.verdict for one in up.nodes] == ["up", "up"]
    assert _asked(desk, "www.trial.test") == {one.node.id for one in up.nodes}


def _asked(desk: Desk, name: str) -> set[str]:
    """Who answers for a name, asked as clients ask: through the DNS, then through the load balancer."""
    resolver = str(desk.site.network[2])
    zones = desk.cloud.route53.list_hosted_zones()["HostedZones"]
    (zone,) = [one for one in zones if one["Name"] == "trial.test."]
    found = desk.cloud.route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (target,) = [one["ResourceRecords"][0]["Value"] for one in found if one["Type"] == "CNAME"]
    record = Record("cname", target.rstrip(".").lower(), 5)
    assert not dns_check.until_agreed(name, record, [resolver], 60).degraded
    (address,) = ask(resolver, name).addresses[:1]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = [opener.open(f"http://{address}/", timeout=10).read().decode().strip() for _ in range(30)]
    return set(answers)


def _done(outcome: Any) -> Done:
    assert isinstance(outcome, Done)
    return outcome


def _serving() -> str:
    """A unit that answers with the node's id, at every boot."""
    unit = """[Unit]
After=network-online.target
[Service]
ExecStartPre=/bin/mkdir -p /srv/www
ExecStartPre=/bin/cp /var/lib/cloud/data/instance-id /srv/www/index.html
ExecStart=/usr/bin/python3 -m http.server 80 -d /srv/www
[Install]
WantedBy=multi-user.target
"""
    files = [{"path": "/etc/systemd/system/page.service", "content": unit}]
    commands = [["systemctl", "enable", "--now", "page.service"]]
    return "#cloud-config\n" + json.dumps({"write_files": files, "runcmd": commands})
