from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from bootstrap.act import Act
from bootstrap.errors import ApiError, InputsError, NotHealthyError, RegistrationError
from bootstrap.registration import deregister, register
from bootstrap.web import Answer

if TYPE_CHECKING:
    from aws.session import Cloud

METADATA = "http://169.254.169.254/latest"
HEALTH = "http://127.0.0.1/health"
INTERVAL, THRESHOLD = 6, 3
SOONEST = (THRESHOLD - 1) * INTERVAL


class Aws:
    """moto, asked as a web server in this process; every action is counted, and may be answered otherwise."""

    def __init__(self, web: Any) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.test import Client

        self._client = Client(DomainDispatcherApplication(create_backend_app))
        self._web = web
        self.actions: list[str] = []
        self.instead: dict[str, list[str]] = {}

    def __call__(
        self,
        method: str,
        url: str,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        if urlsplit(url).hostname != "aws.test":
            answer: Answer = self._web(method, url, timeout_seconds, headers, body)
            return answer
        action = body.decode().partition("&")[0].removeprefix("Action=")
        self.actions.append(action)
        if waiting := self.instead.get(action, []):
            return Answer(200, waiting.pop(0) if len(waiting) > 1 else waiting[0])
        reply = self._client.open(url, method=method, headers=dict(headers or {}), data=body)
        return Answer(reply.status_code, reply.get_data(as_text=True))

    def writes(self) -> list[str]:
        return [one for one in self.actions if not one.startswith("Describe")]


@pytest.fixture
def aws(web: Any, mock_cloud: Cloud) -> Aws:
    return Aws(web)


@pytest.fixture
def me(mock_cloud: Cloud) -> str:
    image = mock_cloud.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    (one,) = mock_cloud.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"]
    return one["InstanceId"]


@pytest.fixture
def classic(mock_cloud: Cloud) -> Any:
    import boto3

    client = boto3.client("elb", "eu-central-1")
    listener: Any = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    for name in ("web", "api"):
        client.create_load_balancer(
            LoadBalancerName=name, Listeners=[listener], AvailabilityZones=["eu-central-1a"]
        )
        client.configure_health_check(
            LoadBalancerName=name,
            HealthCheck={
                "Target": "HTTP:80/health",
                "Interval": INTERVAL,
                "Timeout": 4,
                "HealthyThreshold": THRESHOLD,
                "UnhealthyThreshold": 2,
            },
        )
    return client


@pytest.fixture
def group(mock_cloud: Cloud) -> str:
    import boto3

    vpc = mock_cloud.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    client = boto3.client("elbv2", "eu-central-1")
    made = client.create_target_group(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


@pytest.fixture
def act(stage: Any, aws: Aws, me: str) -> Any:
    def made(**inputs: str) -> Act:
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://aws.test"}
        whole: Act = stage.act(EC2_INSTANCE_ID=me, **keys, **inputs)
        object.__setattr__(whole, "ask", aws)
        return whole

    return made


def registered(classic: Any, name: str = "web") -> list[str]:
    (found,) = classic.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    return [one["InstanceId"] for one in found["Instances"]]


def state(word: str, text: str, instance_id: str) -> str:
    return (
        "<R><InstanceStates><member>"
        f"<InstanceId>{instance_id}</InstanceId><State>{word}</State><Description>{text}</Description>"
        "</member></InstanceStates></R>"
    )


def target(word: str, reason: str) -> str:
    return (
        f"<R><m><member><TargetHealth><State>{word}</State><Reason>{reason}</Reason>"
        "</TargetHealth></member></m></R>"
    )


def test_a_node_without_load_balancers_asks_nobody_anything(act: Any, aws: Aws, web: Any) -> None:
    register(act())
    assert (aws.actions, web.asked) == ([], [])


def test_a_node_joins_all_its_load_balancers(
    act: Any, aws: Aws, stage: Any, classic: Any, group: str, me: str
) -> None:
    register(act(CLASSIC_LOAD_BALANCERS="web,api", TARGET_GROUPS=group))
    assert registered(classic, "web") == registered(classic, "api") == [me]
    assert stage.notes == ["registered with web", "registered with api", "registered with tg"]


def test_a_second_time_costs_one_describing_call_for_each(
    act: Any, aws: Aws, classic: Any, group: str
) -> None:
    inputs = {"CLASSIC_LOAD_BALANCERS": "web,api", "TARGET_GROUPS": group}
    register(act(**inputs))
    aws.actions.clear()
    register(act(**inputs))
    assert aws.actions == ["DescribeInstanceHealth", "DescribeInstanceHealth", "DescribeTargetHealth"]


def test_a_node_that_is_not_healthy_itself_is_never_registered(
    act: Any, aws: Aws, classic: Any, web: Any
) -> None:
    web.answers[HEALTH] = [Answer(503)]
    with pytest.raises(NotHealthyError):
        register(act(CLASSIC_LOAD_BALANCERS="web"))
    assert aws.actions == []


def test_a_load_balancer_that_does_not_exist_is_named_before_any_other_is_joined(
    act: Any, aws: Aws, classic: Any
) -> None:
    with pytest.raises(RegistrationError, match="no classic load balancer nope in eu-central-1"):
        register(act(CLASSIC_LOAD_BALANCERS="web,nope"))
    assert aws.writes() == []


def test_a_target_group_that_does_not_exist_is_named(act: Any, group: str) -> None:
    with pytest.raises(RegistrationError, match=r"there is no target group arn:.*nope"):
        register(act(TARGET_GROUPS=group.replace("/tg/", "/nope/")))


def test_nodes_of_a_large_deployment_spread_their_first_write(act: Any, stage: Any, classic: Any) -> None:
    register(act(CLASSIC_LOAD_BALANCERS="web", DEPLOYMENT_SIZE="50"), lambda _, most: most)
    assert stage.clock.monotonic() == 5 + SOONEST


def test_a_node_that_is_registered_already_waits_for_nothing(act: Any, stage: Any, classic: Any) -> None:
    register(act(CLASSIC_LOAD_BALANCERS="web"))
    before = stage.clock.monotonic()
    register(act(CLASSIC_LOAD_BALANCERS="web", DEPLOYMENT_SIZE="50"), lambda _, most: most)
    assert stage.clock.monotonic() == before


def test_in_service_is_waited_for(act: Any, aws: Aws, stage: Any, classic: Any, me: str) -> None:
    out = state("OutOfService", "Instance registration is still in progress.", me)
    aws.instead["DescribeInstanceHealth"] = [out, out, out, state("InService", "N/A", me)]
    register(act(CLASSIC_LOAD_BALANCERS="web"))
    assert aws.actions.count("DescribeInstanceHealth") == 4
    assert aws.writes() == []


def test_a_load_balancer_just_joined_is_first_asked_when_it_can_have_checked_often_enough(
    act: Any, aws: Aws, stage: Any, classic: Any, me: str
) -> None:
    strange = state("OutOfService", "Instance is not currently registered with the LoadBalancer.", me)
    aws.instead["DescribeInstanceHealth"] = [strange, state("InService", "N/A", me)]
    register(act(CLASSIC_LOAD_BALANCERS="web"), lambda *_: 0)
    assert stage.clock.monotonic() == SOONEST
    assert aws.actions.count("DescribeInstanceHealth") == 2


def test_one_joined_earlier_is_asked_at_once(act: Any, aws: Aws, stage: Any, classic: Any, me: str) -> None:
    out = state("OutOfService", "Instance registration is still in progress.", me)
    aws.instead["DescribeInstanceHealth"] = [out, state("InService", "N/A", me)]
    register(act(CLASSIC_LOAD_BALANCERS="web"), lambda *_: 0)
    assert stage.clock.monotonic() == 0


def test_the_wait_is_as_long_as_the_health_check_implies_and_then_the_node_is_taken_out_again(
    act: Any, aws: Aws, stage: Any, classic: Any, me: str
) -> None:
    strange = state("OutOfService", "Instance is not currently registered with the LoadBalancer.", me)
    failing = state("OutOfService", "Instance has failed at least the UnhealthyThreshold number", me)
    aws.instead["DescribeInstanceHealth"] = [strange, failing]
    with pytest.raises(
        RegistrationError, match=r"web did not take .* within 60 s; it says: OutOfService: Inst"
    ):
        register(act(CLASSIC_LOAD_BALANCERS="web"), lambda _, most: most)
    assert 60 < stage.clock.monotonic() < 65
    assert registered(classic) == []
    assert stage.notes == ["registered with web", "deregistered from web again"]


def test_a_node_that_was_registered_before_is_not_taken_out_by_a_failed_wait(
    act: Any, aws: Aws, classic: Any, me: str
) -> None:
    aws.instead["DescribeInstanceHealth"] = [state("OutOfService", "failed", me)]
    with pytest.raises(RegistrationError):
        register(act(CLASSIC_LOAD_BALANCERS="web"))
    assert aws.writes() == []


def test_a_node_that_is_leaving_is_registered_again(
    act: Any, aws: Aws, group: str, classic: Any, me: str
) -> None:
    leaving = state("InService", "Instance deregistration currently in progress.", me)
    aws.instead["DescribeInstanceHealth"] = [leaving, state("InService", "N/A", me)]
    aws.instead["DescribeTargetHealth"] = [target("draining", ""), target("healthy", "")]
    register(act(CLASSIC_LOAD_BALANCERS="web", TARGET_GROUPS=group))
    assert aws.writes() == ["RegisterInstancesWithLoadBalancer", "RegisterTargets"]


def test_a_dry_run_registers_nothing_and_says_what_it_would(
    act: Any, aws: Aws, stage: Any, classic: Any
) -> None:
    register(act(CLASSIC_LOAD_BALANCERS="web", BOOTSTRAP_DRY_RUN="1"))
    assert (aws.writes(), stage.notes) == ([], ["registered with web"])


def test_a_node_leaves_and_waits_until_it_is_really_gone(
    act: Any, aws: Aws, stage: Any, classic: Any, group: str, me: str
) -> None:
    inputs = {"CLASSIC_LOAD_BALANCERS": "web", "TARGET_GROUPS": group}
    register(act(**inputs))
    leaving = state("InService", "Instance deregistration currently in progress.", me)
    here = state("InService", "N/A", me)
    aws.instead["DescribeInstanceHealth"] = [here, leaving, leaving, "<R/>"]
    stage.notes.clear()
    deregister(act(**inputs))
    assert registered(classic) == []
    assert stage.notes == ["deregistered from web", "deregistered from tg"]
    assert aws.actions.count("DescribeInstanceHealth") == 2 + 4


def test_draining_has_the_end_that_the_load_balancer_gives_it(
    act: Any, aws: Aws, stage: Any, classic: Any, me: str
) -> None:
    classic.modify_load_balancer_attributes(
        LoadBalancerName="web",
        LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": 20}},
    )
    leaving = state("InService", "Instance deregistration currently in progress.", me)
    aws.instead["DescribeInstanceHealth"] = [leaving]
    with pytest.raises(RegistrationError, match="web has not let this node go within 50 s"):
        deregister(act(CLASSIC_LOAD_BALANCERS="web"))
    assert aws.writes() == []


def test_who_is_not_registered_has_nothing_to_leave(act: Any, aws: Aws, classic: Any, group: str) -> None:
    deregister(act(CLASSIC_LOAD_BALANCERS="web,gone", TARGET_GROUPS=group))
    assert aws.writes() == []


def test_a_reboot_leaves_the_node_registered_unless_told_otherwise(act: Any, aws: Aws, classic: Any) -> None:
    register(act(CLASSIC_LOAD_BALANCERS="web"))
    deregister(act(CLASSIC_LOAD_BALANCERS="web", DECOM_REASON="reboot"))
    assert "DeregisterInstancesFromLoadBalancer" not in aws.actions
    deregister(act(CLASSIC_LOAD_BALANCERS="web", DECOM_REASON="reboot", DEREGISTER_ON_REBOOT="true"))
    assert registered(classic) == []


def test_a_flag_that_is_neither_true_nor_false_is_an_error(act: Any) -> None:
    with pytest.raises(InputsError, match="DEREGISTER_ON_REBOOT is neither"):
        deregister(act(DECOM_REASON="reboot", DEREGISTER_ON_REBOOT="yes"))


def test_in_a_group_the_group_registers_what_is_attached_to_it(
    act: Any, aws: Aws, stage: Any, classic: Any, web: Any
) -> None:
    web.answers[f"{METADATA}/meta-data/autoscaling/target-lifecycle-state"] = [Answer(200, "InService")]
    place = "<AutoScalingGroupName>g</AutoScalingGroupName><LifecycleState>Pending:Wait</LifecycleState>"
    aws.instead["DescribeAutoScalingInstances"] = [f"<R><m><member>{place}</member></m></R>"]
    aws.instead["DescribeAutoScalingGroups"] = [
        "<R><m><member><LoadBalancerNames><member>web</member></LoadBalancerNames></member></m></R>"
    ]
    register(act(CLASSIC_LOAD_BALANCERS="web,api"))
    assert (registered(classic, "web"), len(registered(classic, "api"))) == ([], 1)
    assert "web: the auto scaling group registers its nodes" in stage.said


def test_a_node_of_a_warm_pool_is_not_registered(act: Any, aws: Aws, classic: Any, web: Any) -> None:
    path = f"{METADATA}/meta-data/autoscaling/target-lifecycle-state"
    web.answers[path] = [Answer(200, "Warmed:Stopped")]
    register(act(CLASSIC_LOAD_BALANCERS="web"))
    assert aws.writes() == []


def test_a_machine_that_nobody_knows_cannot_be_registered(act: Any) -> None:
    unknown = act(CLASSIC_LOAD_BALANCERS="web")
    unknown.environment["EC2_INSTANCE_ID"] = ""
    with pytest.raises(RegistrationError, match="does not know its instance id"):
        register(unknown)


def test_what_the_role_may_not_do_is_said(act: Any, aws: Aws, classic: Any) -> None:
    def refuse(*_: Any) -> Answer:
        body = "<R><Error><Code>AccessDenied</Code><Message>not you</Message></Error></R>"
        return Answer(403, body)

    denied = act(CLASSIC_LOAD_BALANCERS="web", HEALTH_URL="")
    object.__setattr__(denied, "ask", lambda *a: refuse() if "aws.test" in a[1] else aws(*a))
    with pytest.raises(ApiError, match="not you") as caught:
        register(denied)
    assert "lacks what DescribeInstanceHealth needs" in caught.value.hint
