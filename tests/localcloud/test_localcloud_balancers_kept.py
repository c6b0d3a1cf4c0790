"""Load balancers when something ends that should not have: a cloud of its own, without machines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from balancer_target import get, resolve
from cloud_fixture import environment, site_of_its_own

from aws.patience import Patience, wait_for
from localcloud import control
from localcloud.cgroups import ControlGroup
from localcloud.process import run
from localcloud.site import Site

pytestmark = pytest.mark.machines

ENOUGH = Patience(0.1, 60)


@pytest.fixture
def site() -> Iterator[Site]:
    with site_of_its_own() as own:
        control.up(own)
        yield own


def _elb(site: Site) -> Any:
    with environment(site):
        return boto3.client("elb")


def _create(site: Site) -> str:
    return str(
        _elb(site).create_load_balancer(
            LoadBalancerName="kept",
            Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
            AvailabilityZones=["us-east-1a", "us-east-1b"],
        )["DNSName"]
    )


def _answers(site: Site, name: str) -> str | None:
    """The address of a load balancer that answers, which without instances is 503."""
    try:
        address, _ = resolve(str(site.dns_address), name) or ("", 0)
        return address if address and get(address, patience_seconds=1)[0] == 503 else None
    except OSError:
        return None


def _processes(site: Site) -> list[int]:
    group = ControlGroup.of(site).path
    return [int(pid) for file in group.glob("lb-*/cgroup.procs") for pid in file.read_text().split()]


def test_a_load_balancer_survives_its_process_and_the_daemon(site: Site) -> None:
    name = _create(site)
    address = wait_for("the first answer", lambda: _answers(site, name), ENOUGH)
    before = _processes(site)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    again = lambda: (set(_processes(site)) - set(before) and _answers(site, name)) or None  # noqa: E731
    assert wait_for("an answer of a new process", again, ENOUGH) == address

    os.kill(int(site.pid_file.read_text()), signal.SIGKILL)
    control.up(site)
    assert wait_for("an answer after the daemon's end", lambda: _answers(site, name), ENOUGH) == address
    assert set(_processes(site)) & set(before) == set()

    _elb(site).delete_load_balancer(LoadBalancerName="kept")
    gone = lambda: f"{site.name}-lb-" not in run(["ip", "netns", "list"]) or None  # noqa: E731
    wait_for("its namespace to go", gone, ENOUGH)
    assert _processes(site) == []
    assert not list((site.home / "load-balancers").iterdir())
    assert resolve(str(site.dns_address), name) is None


def test_a_name_server_that_ended_is_started_again(site: Site) -> None:
    procs = ControlGroup.of(site).path / "dns" / "cgroup.procs"
    for pid in procs.read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    name = _create(site)
    wait_for("the name to be served", lambda: _answers(site, name), ENOUGH)
