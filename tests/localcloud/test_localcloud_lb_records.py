"""moto's records of load balancers behind our hooks, with findings that the test makes up."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from types import SimpleNamespace as Made
from typing import Any

import pytest

from localcloud import lb_classic, lb_classic_api, lb_classic_records, lb_places, lb_v2, lb_v2_records
from localcloud.lb_health import Finding, Phase
from localcloud.lb_model import Answer, Condition, Forward, Redirect, Target
from localcloud.site import ACCOUNT, Site

REGION = "us-east-1"
SITE = Site()


class Findings:
    """What a test says that the checks found."""

    def __init__(self) -> None:
        self.known: dict[str, Finding] = {}
        self.runs_now = True

    def runs(self, balancer_id: str) -> bool:
        return self.runs_now

    def finding(self, balancer_id: str, pool: str, target_id: str) -> Finding | None:
        return self.known.get(target_id)

    def leaving(self, balancer_id: str, pool: str) -> list[str]:
        return [name for name, one in self.known.items() if one.phase is Phase.DRAINING]


class Cloud:
    """moto's backends with two instances."""

    def __init__(self) -> None:
        from moto.ec2.models import ec2_backends
        from moto.elb.models import elb_backends
        from moto.elbv2.models import elbv2_backends

        self.findings = Findings()
        self.instances: dict[str, Any] = {
            "i-1": self._instance("i-1", "10.117.0.11", "us-east-1a"),
            "i-2": self._instance("i-2", "10.117.16.12", "us-east-1b"),
        }
        lb_classic_records.install(SITE, self.instances.get)
        lb_classic_api.install(self.findings, self.instances.get)
        lb_v2_records.install(SITE, self.instances.get, self.findings)
        self.ec2 = ec2_backends[ACCOUNT][REGION]
        self.elb = elb_backends[ACCOUNT][REGION]
        self.elbv2 = elbv2_backends[ACCOUNT][REGION]
        # One of its own: what earlier tests in this process left of moto's is not to matter.
        vpc_id = self.ec2.create_vpc("10.117.0.0/16").id
        self.subnets = [
            self.ec2.create_subnet(vpc_id, cidr, availability_zone=zone)
            for cidr, zone in (("10.117.64.0/20", "us-east-1a"), ("10.117.80.0/20", "us-east-1b"))
        ]
        self.vpc_id = vpc_id

    def _instance(self, name: str, address: str, zone: str) -> Any:
        return Made(id=name, private_ip_address=address, state="running", placement=Made(zone=zone))

    def classic(self, **more: Any) -> Any:
        listeners = [
            {"Protocol": "HTTPS", "LoadBalancerPort": 443, "InstancePort": 80, "InstanceProtocol": "HTTP"},
            {"Protocol": "TCP", "LoadBalancerPort": 22, "InstancePort": 22},
        ]
        return self.elb.create_load_balancer(
            name="Web", zones=[], ports=listeners, subnets=[one.id for one in self.subnets], **more
        )

    def told(self, instance_id: str) -> tuple[str, str, str]:
        (found,) = self.elb.describe_instance_health("Web", [{"InstanceId": instance_id}])
        return found["State"], found["ReasonCode"], found["Description"]


@pytest.fixture
def cloud(unhooked: None, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    from localcloud.hooks import replace

    def default_vpc(self: Any) -> Any:
        return self.create_vpc(cidr_block=str(SITE.network), is_default=True)

    replace("moto.ec2.models:EC2Backend.create_default_vpc", lambda _: default_vpc)
    return Cloud()


def test_names_have_aws_form() -> None:
    assert re.fullmatch(
        r"web-\d{9,10}\.us-east-1\.elb\.amazonaws\.com", lb_places.dns_name("Web", "classic", REGION, "")
    )
    assert lb_places.dns_name("w", "application", REGION, "internal").startswith("internal-w-")
    network = lb_places.dns_name("w", "network", REGION, "internet-facing")
    assert re.fullmatch(r"w-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com", network)


def test_a_classic_load_balancer_is_described_as_recorded(cloud: Cloud) -> None:
    record = cloud.classic()
    found = lb_classic.described(record)
    assert found is not None
    assert [(one.port, one.mode, bool(one.certificate)) for one in found.listeners] == [
        (443, "http", True),
        (22, "tcp", False),
    ]
    assert [pool.name for pool in found.pools] == ["http-80", "tcp-22"]
    first = found.pools[0]
    assert (first.check.protocol, first.check.port, first.check.rise, first.check.fall) == ("TCP", 80, 10, 2)
    assert first.zones == ("us-east-1a", "us-east-1b")
    assert first.drain_seconds == 0
    assert found.address in cloud.subnets[0].cidr


def test_a_classic_load_balancer_tells_the_zone_that_an_alias_to_it_names(
    mock_cloud: object, cloud: Cloud
) -> None:
    import boto3

    cloud.classic()
    (told,) = boto3.client("elb", REGION).describe_load_balancers()["LoadBalancerDescriptions"]
    assert told["CanonicalHostedZoneNameID"] == "Z35SXDOTRQ7X7K"


def test_a_check_may_be_more_frequent_than_awss_if_boto3_does_not_look(
    mock_cloud: object, cloud: Cloud
) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ParamValidationError

    record = cloud.classic()
    check: Any = {"Target": "HTTP:80/", "Interval": 2, "Timeout": 1}
    asked = {
        "LoadBalancerName": "Web",
        "HealthCheck": {**check, "HealthyThreshold": 2, "UnhealthyThreshold": 3},
    }
    with pytest.raises(ParamValidationError):
        boto3.client("elb", REGION).configure_health_check(**asked)
    boto3.client("elb", REGION, config=Config(parameter_validation=False)).configure_health_check(**asked)
    found = lb_classic.check(record)
    assert (found.interval, found.timeout, found.rise, found.fall) == (2, 1, 2, 3)


def test_an_address_is_never_given_twice_and_comes_back(cloud: Cloud) -> None:
    place = lb_places.place_of(cloud.classic())
    assert place is not None
    subnet = cloud.subnets[0]
    assert subnet.get_available_subnet_ip(None) != str(place.address)
    cloud.elb.delete_load_balancer("Web")
    assert subnet.get_available_subnet_ip(None) == str(place.address)


def test_a_group_made_for_a_load_balancer_lets_its_listeners_ports_in(cloud: Cloud) -> None:
    record = cloud.classic()
    group = cloud.ec2.get_security_group_from_id(record.security_groups[0])
    assert sorted(int(rule.from_port) for rule in group.ingress_rules) == [22, 443]


def test_attributes_are_kept_in_one_spelling(cloud: Cloud) -> None:
    record = cloud.classic()
    cloud.elb.modify_load_balancer_attributes("Web", connection_draining={"Enabled": True, "Timeout": 20})
    cloud.elb.modify_load_balancer_attributes("Web", cross_zone={"Enabled": True})
    found = lb_classic.described(record)
    assert found is not None
    assert (found.pools[0].drain_seconds, found.pools[0].zones) == (20, ())
    assert record.attributes["additional_attributes"] == []


def test_an_instance_is_registered_once_and_must_exist(cloud: Cloud) -> None:
    record = cloud.classic()
    cloud.elb.register_instances("Web", ["i-1", "i-1"])
    cloud.elb.register_instances("Web", ["i-1"], from_autoscaling=True)
    assert record.instance_ids == ["i-1"]
    for act in (cloud.elb.register_instances, cloud.elb.deregister_instances):
        with pytest.raises(Exception, match="The specified endpoint is not valid"):
            act("Web", ["i-9"])
    with pytest.raises(Exception, match="does not exist"):
        cloud.elb.register_instances("none", ["i-1"])


def test_only_running_instances_of_enabled_zones_get_traffic(cloud: Cloud) -> None:
    record = cloud.classic()
    cloud.elb.register_instances("Web", ["i-1", "i-2"])
    cloud.instances["i-2"].state = "stopping"
    balancer = lb_classic.described(record)
    assert balancer is not None
    found = lb_classic.members(record, balancer, cloud.instances)["http-80"]
    assert found == {"i-1": Target("i-1", IPv4Address("10.117.0.11"), 80, "us-east-1a"), "i-2": None}
    record.availability_zones = ["us-east-1b"]
    assert lb_classic.members(record, balancer, cloud.instances)["http-80"]["i-1"] is None


def test_health_is_told_of_every_way_an_instance_can_stand(cloud: Cloud) -> None:
    record = cloud.classic()
    assert cloud.told("i-1")[2] == "Instance is not currently registered with the LoadBalancer."
    cloud.elb.register_instances("Web", ["i-1"])
    assert cloud.told("i-1") == ("OutOfService", "ELB", "Instance registration is still in progress.")
    cloud.findings.known["i-1"] = Finding(Phase.HEALTHY)
    assert cloud.told("i-1") == ("InService", "N/A", "N/A")
    cloud.instances["i-1"].state = "stopped"
    assert cloud.told("i-1") == ("OutOfService", "Instance", "Instance is in stopped state.")
    cloud.instances["i-1"].state = "running"
    record.availability_zones = ["us-east-1b"]
    assert cloud.told("i-1")[1] == "ELB"
    with pytest.raises(Exception, match="not valid"):
        cloud.told("i-9")


def test_a_leaving_instance_is_in_service_until_it_is_drained(cloud: Cloud) -> None:
    cloud.classic()
    cloud.findings.known["i-1"] = Finding(Phase.DRAINING)
    assert cloud.told("i-1")[0] == "OutOfService"  # no draining was asked for
    cloud.elb.modify_load_balancer_attributes("Web", connection_draining={"Enabled": True})
    assert cloud.told("i-1") == ("InService", "N/A", "Instance deregistration currently in progress.")


def application(cloud: Cloud, kind: str = "application") -> tuple[Any, Any, Any]:
    record = cloud.elbv2.create_load_balancer(
        "app", [], [one.id for one in cloud.subnets], loadbalancer_type=kind
    )
    protocol = "HTTP" if kind == "application" else "TCP"
    group = cloud.elbv2.create_target_group("tg", vpc_id=cloud.vpc_id, protocol=protocol, port="8080")
    forward = [{"Type": "forward", "TargetGroupArn": group.arn}]
    listener = cloud.elbv2.create_listener(record.arn, protocol, "80", "", None, forward)
    return record, group, listener


def described(cloud: Cloud, record: Any) -> Any:
    return lb_v2.described(record, cloud.elbv2.target_groups)


def test_rules_apply_by_priority(cloud: Cloud) -> None:
    record, _group, listener = application(cloud)
    fixed = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "tea"}
    cloud.elbv2.create_rule(
        listener.arn,
        [{"Field": "path-pattern", "Values": ["/a*"]}],
        20,
        [{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )
    cloud.elbv2.create_rule(
        listener.arn,
        [{"Field": "host-header", "HostHeaderConfig": {"Values": ["x.test"]}}],
        10,
        [
            {
                "Type": "redirect",
                "RedirectConfig": {"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"},
            }
        ],
    )
    (found,) = described(cloud, record).listeners
    assert [rule.conditions for rule in found.rules] == [
        (Condition("host-header", ("x.test",)),),
        (Condition("path-pattern", ("/a*",)),),
    ]
    assert [rule.action for rule in found.rules] == [
        Redirect(301, protocol="HTTPS", port="443"),
        Answer(418, "text/plain", "tea"),
    ]
    assert found.default == Forward((("tg", 1),))


def test_an_application_load_balancer_crosses_zones_and_a_network_one_does_not(cloud: Cloud) -> None:
    record, _, _ = application(cloud)
    assert described(cloud, record).pools[0].zones == ()
    cloud.elbv2.delete_load_balancer(record.arn)
    cloud.elbv2.target_groups.clear()
    record, _, _ = application(cloud, "network")
    found = described(cloud, record)
    assert found.pools[0].zones == ("us-east-1a", "us-east-1b")
    assert found.groups is None
    assert found.listeners[0].mode == "tcp"


def test_a_network_load_balancers_arn_says_so_and_keeps_its_tags(cloud: Cloud) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    subnets = [one.id for one in cloud.subnets]
    record = cloud.elbv2.create_load_balancer("n", [], subnets, loadbalancer_type="network", tags=tags)
    assert ":loadbalancer/net/n/" in record.arn
    assert cloud.elbv2.describe_load_balancers([record.arn], []) == [record]
    assert cloud.elbv2.describe_tags([record.arn]) == {record.arn: {"a": "b"}}


def test_an_application_load_balancer_without_groups_has_the_default_one(cloud: Cloud) -> None:
    record, _, _ = application(cloud)
    assert record.security_groups == [cloud.ec2.get_default_security_group(cloud.vpc_id).id]


def test_it_is_provisioning_until_it_runs(cloud: Cloud) -> None:
    record, _, _ = application(cloud)
    cloud.findings.runs_now = False
    (seen,) = cloud.elbv2.describe_load_balancers([record.arn], [])
    assert seen.state == "provisioning"
    cloud.findings.runs_now = True
    (seen,) = cloud.elbv2.describe_load_balancers([record.arn], [])
    assert seen.state == "active"


def test_targets_must_exist(cloud: Cloud) -> None:
    _, group, _ = application(cloud)
    with pytest.raises(Exception, match="The following targets do not exist: 'i-9'"):
        cloud.elbv2.register_targets(group.arn, [{"Id": "i-9"}])


def test_targets_health_is_what_the_checks_found(cloud: Cloud) -> None:
    record, group, _ = application(cloud)
    group.targets["10.117.0.99"] = {"Id": "10.117.0.99", "Port": "8080"}
    group.target_type = "ip"

    def told(name: str) -> tuple[str, str | None]:
        (found,) = cloud.elbv2.describe_target_health(group.arn, [{"Id": name}])
        return found.status, found.reason

    assert told("10.117.0.99") == ("initial", "Elb.RegistrationInProgress")
    cloud.findings.known["10.117.0.99"] = Finding(Phase.HEALTHY)
    assert told("10.117.0.99") == ("healthy", None)
    assert told("10.117.0.98") == ("unused", "Target.NotRegistered")
    cloud.findings.known["10.117.0.98"] = Finding(Phase.DRAINING)
    assert told("10.117.0.98") == ("draining", "Target.DeregistrationInProgress")
    everything = cloud.elbv2.describe_target_health(group.arn, [])
    assert [one.status for one in everything] == ["healthy", "draining"]
    cloud.elbv2.delete_load_balancer(record.arn)
    assert told("10.117.0.99") == ("unused", "Target.NotInUse")
