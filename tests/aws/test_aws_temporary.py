"""What is made for a while is gone when its block ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cloud_fixture import leftovers
from moto_fixture import FakeClock, refusal

from aws import temporary
from aws.keys import SshKey
from aws.ownership import EXPIRES, RUN, Run
from aws.place import Place

if TYPE_CHECKING:
    from aws.session import Cloud

Failing = Callable[[str, str, Exception], None]

RUN_1 = Run("desk-1-abc")
KINDS = ("key pair", "security group", "bucket", "profile")
DELETIONS = {
    "key pair": ("ec2", "DeleteKeyPair"),
    "security group": ("ec2", "DeleteSecurityGroup"),
    "bucket": ("s3", "DeleteBucket"),
    "profile": ("iam", "DeleteInstanceProfile"),
}


def _place(cloud: Cloud) -> Place:
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]
    return Place(subnet["SubnetId"], subnet["VpcId"], "192.0.2.7/32")


def _made(cloud: Cloud, kind: str) -> AbstractContextManager[str]:
    if kind == "key pair":
        return temporary.key_pair(cloud, RUN_1, SshKey.generate())
    if kind == "security group":
        return temporary.security_group(cloud, RUN_1, _place(cloud), [22, 80])
    if kind == "bucket":
        return temporary.bucket(cloud, RUN_1)
    return temporary.instance_profile(cloud, RUN_1, temporary.node_policy("a-bucket"))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_there_inside_of_the_block_and_gone_after_it(mock_cloud: Cloud, kind: str) -> None:
    with _made(mock_cloud, kind):
        assert leftovers(mock_cloud)
    assert leftovers(mock_cloud) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [ValueError, KeyboardInterrupt])
def test_it_is_gone_when_the_block_fails_and_the_failure_is_heard(
    mock_cloud: Cloud, kind: str, ending: type[BaseException]
) -> None:
    with pytest.raises(ending, match="why"), _made(mock_cloud, kind):
        raise ending("why")
    assert leftovers(mock_cloud) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", ["UnauthorizedOperation", "DependencyViolation"])
def test_a_removal_that_fails_is_told_and_hides_nothing(
    mock_cloud: Cloud,
    failing: Failing,
    kind: str,
    code: str,
    impatient: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service, operation = DELETIONS[kind]
    failing(service, operation, refusal(code))
    with pytest.raises(ValueError, match="the first error"), _made(mock_cloud, kind):
        raise ValueError("the first error")
    assert "could not be removed" in caplog.text
    assert "invoke sweep" in caplog.text


def test_a_removal_that_cannot_be_asked_for_is_told_and_hides_nothing(
    mock_cloud: Cloud, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    failing("ec2", "DeleteKeyPair", EndpointConnectionError(endpoint_url="https://ec2"))
    with pytest.raises(ValueError, match="first"), _made(mock_cloud, "key pair"):
        raise ValueError("first")
    assert "could not be removed" in caplog.text


@pytest.mark.parametrize(
    ("kind", "service", "operation"),
    [
        ("security group", "ec2", "AuthorizeSecurityGroupIngress"),
        ("bucket", "s3", "PutBucketTagging"),
        ("profile", "iam", "PutRolePolicy"),
        ("profile", "iam", "AddRoleToInstanceProfile"),
    ],
)
def test_what_is_made_halfway_is_not_left(
    mock_cloud: Cloud, failing: Failing, kind: str, service: str, operation: str
) -> None:
    failing(service, operation, refusal("AccessDenied"))
    with pytest.raises(ClientError, match="AccessDenied"), _made(mock_cloud, kind):
        pytest.fail("the block must not be entered")
    assert leftovers(mock_cloud) == []


def test_a_group_lets_in_only_the_caller_on_the_ports_asked_for(mock_cloud: Cloud) -> None:
    with _made(mock_cloud, "security group") as group:
        (found,) = mock_cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    let_in = {
        (one["FromPort"], one["ToPort"], one["IpRanges"][0]["CidrIp"]) for one in found["IpPermissions"]
    }
    assert let_in == {(22, 22, "192.0.2.7/32"), (80, 80, "192.0.2.7/32")}
    assert {RUN, EXPIRES} <= {tag["Key"] for tag in found["Tags"]}


def test_what_is_in_a_bucket_goes_with_it(mock_cloud: Cloud) -> None:
    with _made(mock_cloud, "bucket") as name:
        for number in range(3):
            mock_cloud.s3.put_object(Bucket=name, Key=str(number), Body=b"")
        tags: Any = mock_cloud.s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert {RUN, EXPIRES} <= {tag["Key"] for tag in tags}
    assert leftovers(mock_cloud) == []


def test_a_role_that_is_gone_already_is_no_failure(
    mock_cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    with _made(mock_cloud, "profile") as name:
        temporary.delete_profile(mock_cloud, name)
    assert caplog.text == ""


def test_a_node_may_tag_only_itself_and_use_only_its_bucket() -> None:
    statements = {one["Sid"]: one for one in temporary.node_policy("mine")["Statement"]}
    condition = statements["ShowItsOwnState"]["Condition"]
    assert condition["StringEquals"] == {"aws:ARN": "${ec2:SourceInstanceARN}"}
    assert statements["UseObjects"]["Resource"] == "arn:aws:s3:::mine/*"
    assert statements["ForgetResultsOfChangedOriginals"]["Resource"] == "arn:aws:s3:::mine/resized/*"
    assert statements["TellAMissingObjectFromAForbiddenOne"]["Resource"] == "arn:aws:s3:::mine"


def test_a_node_may_do_nothing_with_what_has_no_name() -> None:
    allowed = {action for one in temporary.node_policy()["Statement"] for action in one["Action"]}
    assert {action.partition(":")[0] for action in allowed} == {"ec2", "elasticloadbalancing", "autoscaling"}


def test_a_node_may_join_only_the_load_balancers_that_are_named() -> None:
    policy = temporary.node_policy(load_balancers="web", target_groups="api", secrets="web/*")
    statements = {one["Sid"]: one["Resource"] for one in policy["Statement"]}
    assert statements["JoinClassicLoadBalancers"].endswith(":loadbalancer/web")
    assert statements["JoinTargetGroups"].endswith(":targetgroup/api/*")
    assert statements["ReadSecrets"].endswith(":secret:web/*")
