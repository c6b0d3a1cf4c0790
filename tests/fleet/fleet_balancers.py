"""Load balancers in moto: of every type, and what is written to make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from aws.place import Place
from fleet import health_check, lb, lb_ground
from fleet.load_balancer import KINDS, Kind, LoadBalancer, Wanted

if TYPE_CHECKING:
    from aws.session import Cloud


def wanted(kind: Kind, **more: Any) -> Wanted:
    """What is asked for, but for what a test says."""
    return Wanted(**{"kind": kind, "name": "web", "check": health_check.parse("HTTP:80/health"), **more})


@pytest.fixture
def from_this_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups admit an address of documentation."""
    monkeypatch.setattr(lb_ground, "find_place", lambda *_: Place("", "", "192.0.2.7/32"))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every type."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def balancer(mock_cloud: Cloud, kind: Kind) -> LoadBalancer:
    """One that is the shop's."""
    return lb.ensure(mock_cloud, wanted(kind, deployment="shop"))[0]


@pytest.fixture
def writes(mock_cloud: Cloud) -> Iterator[list[str]]:
    """The calls that change something, by name."""
    heard: list[str] = []

    def hear(model: Any, **_: object) -> None:
        if not model.name.startswith(("Describe", "Get", "List")):
            heard.append(model.name)

    clients: list[Any] = [mock_cloud.ec2, mock_cloud.elb, mock_cloud.elbv2]
    for client in clients:
        client.meta.events.register("before-call", hear)
    yield heard
    for client in clients:
        client.meta.events.unregister("before-call", hear)
