"""Load balancers in front of machines: what clients get, and what AWS's calls tell of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from balancer_target import THREADS, USER_DATA, Load, get, resolve, until

from aws.patience import Patience, wait_for

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance

pytestmark = pytest.mark.machines

NAME = "tested"
ENOUGH = Patience(0.2, 60)
CHECK = {
    "Target": "HTTP:80/health",
    "Interval": 5,
    "Timeout": 2,
    "UnhealthyThreshold": 3,
    "HealthyThreshold": 2,
}


class Classic:
    """A classic load balancer of the tests, and the machines that may be behind it."""

    def __init__(self, desk: Desk, machines: tuple[Instance, ...]) -> None:
        self.desk = desk
        self.machines = machines
        self.elb: Any = _client(desk, "elb")

    @property
    def address(self) -> str:
        from localcloud import control

        (found,) = [one for one in control.status(self.desk.site)["load_balancers"] if one["name"] == NAME]
        return str(found["address"])

    def register(self, *machines: Instance) -> None:
        self.elb.register_instances_with_load_balancer(LoadBalancerName=NAME, Instances=_ids(machines))
        for machine in machines:
            self.wait(machine, "InService")

    def leave(self, *machines: Instance) -> None:
        self.elb.deregister_instances_from_load_balancer(LoadBalancerName=NAME, Instances=_ids(machines))

    def state(self, machine: Instance) -> tuple[str, str, str]:
        (found,) = self.elb.describe_instance_health(
            LoadBalancerName=NAME, Instances=[{"InstanceId": machine.id}]
        )["InstanceStates"]
        return found["State"], found["ReasonCode"], found["Description"]

    def wait(self, machine: Instance, state: str) -> None:
        look = lambda: self.state(machine)[0] == state or None  # noqa: E731
        wait_for(f"{machine.id} to be {state}", look, ENOUGH)


def _client(desk: Desk, service: str) -> Any:
    import boto3
    from cloud_fixture import environment

    with environment(desk.site):
        return boto3.client(service)


def _ids(machines: tuple[Instance, ...]) -> list[dict[str, str]]:
    return [{"InstanceId": machine.id} for machine in machines]


def _default_group(desk: Desk) -> str:
    (group,) = desk.cloud.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    return str(group["GroupId"])


@pytest.fixture(scope="module")
def machines(desk: Desk) -> Iterator[tuple[Instance, ...]]:
    found = desk.launch(count=2, user_data=USER_DATA)
    yield found
    desk.terminate(*found)


@pytest.fixture(scope="module")
def classic(desk: Desk, machines: tuple[Instance, ...]) -> Iterator[Classic]:
    """A load balancer that all tests leave with both machines in service."""
    one = Classic(desk, machines)
    one.elb.create_load_balancer(
        LoadBalancerName=NAME,
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=["us-east-1a"],
        SecurityGroups=[_default_group(desk)],
    )
    one.elb.configure_health_check(LoadBalancerName=NAME, HealthCheck=CHECK)
    one.elb.modify_load_balancer_attributes(
        LoadBalancerName=NAME,
        LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": 60}},
    )
    one.register(*machines)
    yield one
    one.elb.delete_load_balancer(LoadBalancerName=NAME)


def test_its_name_resolves_and_both_machines_answer_in_turn(classic: Classic, desk: Desk) -> None:
    (described,) = classic.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    address, seconds = resolve(str(desk.site.dns_address), described["DNSName"]) or ("", 0)
    assert seconds == 60
    assert address == classic.address
    assert {get(address)[1] for _ in range(4)} == {_host(one) for one in classic.machines}


def test_a_route_53_record_is_served_at_once_with_its_time_to_live(classic: Classic, desk: Desk) -> None:
    route53 = _client(desk, "route53")
    zone = route53.create_hosted_zone(Name="shop.test", CallerReference="1")["HostedZone"]["Id"]
    (described,) = classic.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    record = {
        "Name": "www.shop.test",
        "Type": "CNAME",
        "TTL": 17,
        "ResourceRecords": [{"Value": described["DNSName"]}],
    }
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    server = str(desk.site.dns_address)
    look = lambda: resolve(server, "www.shop.test")  # noqa: E731
    address, _ = wait_for("the record to be served", look, Patience(0.05, 2))
    assert address == classic.address
    assert resolve(server, "nothing.shop.test") is None


def test_a_machine_asks_the_same_name_server(classic: Classic, desk: Desk) -> None:
    (described,) = classic.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    with desk.machine(classic.machines[0]) as machine:
        assert machine.run(f"getent hosts {described['DNSName']}").stdout.split()[0] == classic.address


def test_it_takes_exactly_as_many_failures_as_the_threshold_says(classic: Classic, desk: Desk) -> None:
    wavering = classic.machines[0]
    with desk.machine(wavering) as machine:
        machine.run("echo 503 503 > /srv/answers")
        look = lambda: not machine.run("cat /srv/answers").stdout.strip() or None  # noqa: E731
        wait_for("both failures to be seen", look, ENOUGH)
        assert classic.state(wavering) == ("InService", "N/A", "N/A")
        machine.run("echo 503 503 503 200 503 200 200 > /srv/answers")
    classic.wait(wavering, "OutOfService")
    state, reason, description = classic.state(wavering)
    assert (state, reason) == ("OutOfService", "Instance")
    assert description.startswith("Instance has failed at least the UnhealthyThreshold number")
    classic.wait(wavering, "InService")
    with desk.machine(wavering) as machine:
        assert machine.run("cat /srv/answers").stdout.strip() == ""


def test_a_stopped_service_costs_no_request_once_it_is_seen_and_returns(classic: Classic, desk: Desk) -> None:
    stopped, other = classic.machines
    with Load(classic.address).running() as load, desk.machine(stopped) as machine:
        machine.run("systemctl stop target")
        classic.wait(stopped, "OutOfService")
        load.failures.clear()
        load.answers.clear()
        wait_for("more answers", lambda: load.answered > 50 or None, ENOUGH)
        assert set(load.answers) == {_host(other)}
        machine.run("systemd-run --unit=target --collect /usr/bin/python3 /srv/target.py")
        classic.wait(stopped, "InService")
        wait_for("its answers", lambda: _host(stopped) in load.answers or None, ENOUGH)
    assert load.failures == []


def test_draining_lets_a_download_end_and_nothing_new_begin(classic: Classic) -> None:
    leaving, staying = classic.machines
    classic.leave(staying)
    got: list[tuple[int, str]] = []
    download = threading.Thread(target=lambda: got.append(get(classic.address, "/slow", patience_seconds=30)))
    download.start()
    for _ in until(1):
        continue
    classic.register(staying)
    classic.leave(leaving)
    assert classic.state(leaving) == ("InService", "N/A", "Instance deregistration currently in progress.")
    assert {get(classic.address)[1] for _ in range(6)} == {_host(staying)}
    download.join()
    assert got == [(200, _host(leaving) * 20)]
    classic.wait(leaving, "OutOfService")
    assert classic.state(leaving)[2] == "Instance is not currently registered with the LoadBalancer."
    classic.register(leaving)


def test_changes_of_members_and_of_the_configuration_cost_no_request(classic: Classic) -> None:
    one, _ = classic.machines
    with Load(classic.address).running() as load:
        classic.leave(one)
        classic.wait(one, "OutOfService")
        classic.register(one)
        listener = {"Protocol": "TCP", "LoadBalancerPort": 8080, "InstancePort": 80}
        classic.elb.create_load_balancer_listeners(LoadBalancerName=NAME, Listeners=[listener])
        wait_for(
            "the new listener", lambda: get(classic.address, port=8080) if _open(classic) else None, ENOUGH
        )
        classic.elb.delete_load_balancer_listeners(LoadBalancerName=NAME, LoadBalancerPorts=[8080])
        wait_for("the listener to go", lambda: not _open(classic) or None, ENOUGH)
        before = load.answered
        wait_for("more answers", lambda: load.answered > before + 50 or None, ENOUGH)
    assert load.failures == []


def _open(classic: Classic) -> bool:
    try:
        return get(classic.address, port=8080)[0] == 200
    except OSError:
        return False


def test_what_passed_is_in_cloudwatch(classic: Classic, desk: Desk) -> None:
    from datetime import UTC, datetime, timedelta

    cloudwatch = _client(desk, "cloudwatch")
    get(classic.address, "/")

    def asked(name: str, **stat: Any) -> Any:
        now = datetime.now(UTC)
        return cloudwatch.get_metric_statistics(
            Namespace="AWS/ELB",
            MetricName=name,
            Dimensions=[{"Name": "LoadBalancerName", "Value": NAME}],
            StartTime=now - timedelta(minutes=30),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            **stat,
        )["Datapoints"]

    wait_for("requests to be counted", lambda: asked("RequestCount", Statistics=["Sum"]) or None, ENOUGH)
    assert sum(one["Sum"] for one in asked("HTTPCode_Backend_2XX", Statistics=["Sum"])) > 0
    (latency, *_) = asked("Latency", ExtendedStatistics=["p50", "p99"])
    assert latency["ExtendedStatistics"]["p50"] <= latency["ExtendedStatistics"]["p99"]
    assert max(one["Maximum"] for one in asked("HealthyHostCount", Statistics=["Maximum"])) == 2


def test_its_groups_guard_it(desk: Desk, classic: Classic) -> None:
    closed = desk.cloud.ec2.create_security_group(GroupName="closed", Description="closed")["GroupId"]
    own = [_default_group(desk)]
    apply = classic.elb.apply_security_groups_to_load_balancer
    apply(LoadBalancerName=NAME, SecurityGroups=[closed])
    try:
        with pytest.raises(OSError, match="timed out"):
            get(classic.address, patience_seconds=2)
    finally:
        apply(LoadBalancerName=NAME, SecurityGroups=own)
    assert get(classic.address)[0] == 200


def test_an_application_load_balancer_tells_of_targets_and_drains_them(desk: Desk, classic: Classic) -> None:
    elb = _client(desk, "elbv2")
    subnets = desk.cloud.ec2.describe_subnets(
        Filters=[{"Name": "availability-zone", "Values": ["us-east-1a", "us-east-1b"]}]
    )["Subnets"]
    group = elb.create_target_group(
        Name="app", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "4"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)

    def told(machine: Instance) -> tuple[str, str]:
        (found,) = elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": machine.id}])[
            "TargetHealthDescriptions"
        ]
        return found["TargetHealth"]["State"], found["TargetHealth"].get("Reason", "")

    one, other = classic.machines
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one.id}, {"Id": other.id}])
    assert told(one) == ("unused", "Target.NotInUse")
    balancer = elb.create_load_balancer(
        Name="app", Subnets=[one["SubnetId"] for one in subnets], SecurityGroups=[_default_group(desk)]
    )["LoadBalancers"][0]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward
    )
    assert told(one)[0] == "initial"
    wait_for("both to be healthy", lambda: {told(one)[0], told(other)[0]} == {"healthy"} or None, ENOUGH)
    address, _ = resolve(str(desk.site.dns_address), balancer["DNSName"]) or ("", 0)
    assert get(address)[0] == 200
    with desk.machine(one) as machine:
        machine.run("echo 500 500 500 500 500 500 500 > /srv/answers")
        failed = lambda: told(one) == ("unhealthy", "Target.ResponseCodeMismatch") or None  # noqa: E731
        wait_for("it to be unhealthy", failed, ENOUGH)
        machine.run("rm /srv/answers")
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": other.id}])
    assert told(other) == ("draining", "Target.DeregistrationInProgress")
    wait_for("it to be gone", lambda: told(other) == ("unused", "Target.NotRegistered") or None, ENOUGH)
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])


def test_a_terminated_machine_leaves_the_list(desk: Desk, classic: Classic) -> None:
    (gone,) = desk.launch(user_data=USER_DATA)
    classic.register(gone)
    with Load(classic.address).running() as load:
        desk.terminate(gone)
        desk.wait_for(gone.id, "terminated")
        listed = lambda: len(_listed(classic)) == 2 or None  # noqa: E731
        wait_for("it to leave", listed, ENOUGH)
        struck = len(load.failures)
        for _ in until(2):
            pass
    # Nothing drained it: what each connection had on its way as the machine went down may be lost, no more.
    assert struck <= THREADS
    assert len(load.failures) == struck


def _listed(classic: Classic) -> list[str]:
    (found,) = classic.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    return [one["InstanceId"] for one in found["Instances"]]


def _host(machine: Instance) -> str:
    return f"ip-{machine.address.replace('.', '-')}"
