"""A classic load balancer over two zones, which speaks TLS too, in front of machines."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any

import pytest
from balancer_target import USER_DATA, get

from aws.patience import Patience, wait_for

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance

pytestmark = pytest.mark.machines

ENOUGH = Patience(0.2, 60)
CHECK = {"Target": "HTTP:80/", "Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
ZONES = ("us-east-1a", "us-east-1a", "us-east-1b")
REQUESTS = 200
# As AWS's own command-line examples have it; no such certificate is kept here.
CERTIFICATE = "arn:aws:iam::123456789012:server-certificate/kept-nowhere"


@pytest.fixture(scope="module")
def machines(desk: Desk) -> Iterator[tuple[Instance, ...]]:
    """Two machines in one zone, one in another."""
    subnets = {
        one["AvailabilityZone"]: one["SubnetId"] for one in desk.cloud.ec2.describe_subnets()["Subnets"]
    }
    found = [one for zone in ZONES for one in desk.launch(subnet_id=subnets[zone], user_data=USER_DATA)]
    yield tuple(found)
    desk.terminate(*found)


@pytest.fixture(scope="module")
def elb(desk: Desk) -> Any:
    import boto3
    from cloud_fixture import environment

    with environment(desk.site):
        return boto3.client("elb")


@pytest.fixture(scope="module")
def name(desk: Desk, elb: Any, machines: tuple[Instance, ...]) -> Iterator[str]:
    """The DNS name of a load balancer that has all three in service."""
    plain = {"LoadBalancerPort": 80, "InstancePort": 80, "Protocol": "HTTP"}
    tls = {"LoadBalancerPort": 443, "InstancePort": 80, "Protocol": "HTTPS", "InstanceProtocol": "HTTP"}
    groups = desk.cloud.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    made = elb.create_load_balancer(
        LoadBalancerName="zones",
        Listeners=[plain, {**tls, "SSLCertificateId": CERTIFICATE}],
        AvailabilityZones=sorted(set(ZONES)),
        SecurityGroups=[one["GroupId"] for one in groups],
    )
    elb.configure_health_check(LoadBalancerName="zones", HealthCheck=CHECK)
    ids = [{"InstanceId": one.id} for one in machines]
    elb.register_instances_with_load_balancer(LoadBalancerName="zones", Instances=ids)

    def all_serve() -> object:
        found = elb.describe_instance_health(LoadBalancerName="zones")["InstanceStates"]
        return {one["State"] for one in found} == {"InService"} or None

    wait_for("all: in service", all_serve, ENOUGH)
    yield str(made["DNSName"])
    elb.delete_load_balancer(LoadBalancerName="zones")


def address(desk: Desk) -> str:
    from localcloud import control

    (found,) = [one for one in control.status(desk.site)["load_balancers"] if one["name"] == "zones"]
    return str(found["address"])


def shares(desk: Desk, machines: tuple[Instance, ...]) -> list[float]:
    """What part of many requests each machine answers."""
    answers = Counter(get(address(desk))[1] for _ in range(REQUESTS))
    return [answers[host(one)] / REQUESTS for one in machines]


def host(machine: Instance) -> str:
    """What a machine answers with."""
    return f"ip-{machine.address.replace('.', '-')}"


def busy(where: str) -> HTTPConnection:
    """A connection over which a machine has begun an answer that takes long."""
    connection = HTTPConnection(where, timeout=5)
    connection.request("GET", "/slow")
    assert connection.getresponse().status == 200
    return connection


def test_each_zone_gets_its_share_and_in_it_the_least_loaded_unless_it_is_told_to_cross(
    desk: Desk, elb: Any, machines: tuple[Instance, ...], name: str
) -> None:
    assert shares(desk, machines) == pytest.approx([0.25, 0.25, 0.5], abs=0.02)
    with closing(busy(address(desk))), closing(busy(address(desk))):  # one machine of each zone
        occupied, free = sorted(shares(desk, machines)[:2])
        assert (occupied, free) == pytest.approx((0, 0.5), abs=0.02)
    crossing = {"CrossZoneLoadBalancing": {"Enabled": True}}
    elb.modify_load_balancer_attributes(LoadBalancerName="zones", LoadBalancerAttributes=crossing)

    def evenly() -> object:
        return shares(desk, machines) == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.02) or None

    wait_for("requests: being spread evenly", evenly, ENOUGH)


def test_a_listener_that_speaks_tls_has_a_certificate_for_the_load_balancers_name(
    desk: Desk, machines: tuple[Instance, ...], name: str
) -> None:
    authority = ssl.get_server_certificate((address(desk), 443))
    told, answer = over_tls(address(desk), name, authority)
    assert told["subjectAltName"] == (("DNS", name),)
    assert answer in {host(one) for one in machines}
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        over_tls(address(desk), "another.test", authority)


def over_tls(where: str, name: str, authority: str) -> tuple[dict[str, Any], str]:
    """The certificate, checked against its own authority and a name, and the answer to a request."""
    context = ssl.create_default_context(cadata=authority)
    connection = HTTPSConnection(where, 443, timeout=5, context=context)
    connection.sock = context.wrap_socket(socket.create_connection((where, 443), 5), server_hostname=name)
    try:
        told = connection.sock.getpeercert() or {}
        connection.request("GET", "/", headers={"Host": name})
        return dict(told), connection.getresponse().read().decode()
    finally:
        connection.close()
