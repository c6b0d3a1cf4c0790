from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aws import temporary
from aws.desk import Life, birth, life, process_id
from aws.duration import duration, spoken
from aws.errors import AwsError
from aws.keys import SshKey
from aws.ownership import Run, specification, tag_list
from aws.session import Cloud
from aws.sweep import Rules, Swept, sweep

ALIVE = f"{process_id()}-0001"
DEAD = f"{process_id().rpartition('-')[0]}-ffffff-0002"
ELSEWHERE = "desk-aaaaaa-1-bbbbbb-0003"
KNOWN = "ami-12c6146b"  # one of those that moto brings; to list them takes seconds
NOW = datetime.now(UTC)
PUBLIC = SshKey.generate().public.encode()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        session = boto3.Session(region_name="eu-central-1")
        yield Cloud(session.client("ec2"), "eu-central-1", "123456789012", session)


def run(name: str, hours_left: float = 3, age_hours: float = 0) -> Run:
    return Run(name, NOW + timedelta(hours=hours_left), NOW - timedelta(hours=age_hours))


def one_of_each(cloud: Cloud, owner: Run) -> dict[str, str]:
    """Everything that a bake makes for a time, left behind."""
    image = KNOWN
    key, group, profile, bucket = (owner.new_name() for _ in range(4))
    cloud.ec2.import_key_pair(
        KeyName=key, PublicKeyMaterial=PUBLIC, TagSpecifications=specification(owner.tags(), "key-pair")
    )
    group_id = cloud.ec2.create_security_group(
        GroupName=group, Description="x", TagSpecifications=specification(owner.tags(), "security-group")
    )["GroupId"]
    temporary.create_profile(cloud, profile, owner.tags(), temporary.node_policy())
    temporary.create_bucket(cloud, bucket, owner.tags())
    cloud.s3.put_object(Bucket=bucket, Key="photo", Body=b"x")
    (instance,) = cloud.ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        SecurityGroupIds=[group_id],
        TagSpecifications=specification(owner.tags(), "instance", "volume"),
    )["Instances"]
    return {
        "instance": instance["InstanceId"], "key-pair": key, "security-group": group_id,
        "instance-profile": profile, "role": profile, "bucket": bucket,
    }  # fmt: skip


def told(swept: Swept) -> tuple[dict[str, str], dict[str, str]]:
    return {one.kind: one.id for one in swept.removed}, {one.kind: one.id for one in swept.kept}


def test_a_sweep_takes_every_kind_that_a_dead_run_left_and_a_second_one_finds_nothing(cloud: Cloud) -> None:
    left = one_of_each(cloud, run(DEAD))
    assert told(sweep(cloud, Rules())) == (left, {})
    assert sweep(cloud, Rules()) == Swept()
    assert cloud.iam.list_roles()["Roles"] == []
    assert cloud.s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize("hours_left", [3, -1])
def test_nothing_of_a_live_run_is_touched_even_past_its_expiry(cloud: Cloud, hours_left: float) -> None:
    held = one_of_each(cloud, run(ALIVE, hours_left, age_hours=9))
    assert told(sweep(cloud, Rules(timedelta()))) == ({}, held)


def test_a_dry_run_says_the_same_and_removes_nothing(cloud: Cloud) -> None:
    left = one_of_each(cloud, run(DEAD))
    assert told(sweep(cloud, Rules(), dry_run=True)) == (left, {})
    assert told(sweep(cloud, Rules(), dry_run=True)) == (left, {})


def test_another_desks_things_stay_until_they_expire(cloud: Cloud) -> None:
    held = one_of_each(cloud, run(ELSEWHERE, age_hours=1))
    assert told(sweep(cloud, Rules())) == ({}, held)
    assert told(sweep(cloud, Rules(now=NOW + timedelta(hours=4)))) == (held, {})


@pytest.mark.parametrize(
    ("age_hours", "older_than", "goes"), [(1, "0s", False), (3, "0s", True), (3, "5h", False)]
)
def test_another_desks_things_go_by_age_but_never_below_a_builders_limit(
    cloud: Cloud, age_hours: float, older_than: str, goes: bool
) -> None:
    left = one_of_each(cloud, run(ELSEWHERE, 9, age_hours))
    expected = (left, {}) if goes else ({}, left)
    assert told(sweep(cloud, Rules(duration(older_than)))) == expected


def test_what_belongs_to_no_process_lives_until_its_expiry(cloud: Cloud) -> None:
    held = one_of_each(cloud, run("kept-i-1", age_hours=9))
    assert told(sweep(cloud, Rules(timedelta()))) == ({}, held)


def test_what_carries_no_tags_of_ours_is_not_even_looked_at(cloud: Cloud) -> None:
    cloud.ec2.import_key_pair(KeyName="amibake-mine", PublicKeyMaterial=PUBLIC)
    cloud.ec2.create_security_group(GroupName="amibake-mine", Description="x")
    cloud.iam.create_role(RoleName="amibake-mine", AssumeRolePolicyDocument="{}")
    cloud.s3.create_bucket(
        Bucket="amibake-mine", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert sweep(cloud, Rules(timedelta())) == Swept()


def test_an_untagged_bucket_goes_only_when_its_name_is_a_dead_runs(cloud: Cloud) -> None:
    for owner in (DEAD, ALIVE, ELSEWHERE):
        where: Any = {"LocationConstraint": "eu-central-1"}
        cloud.s3.create_bucket(Bucket=f"amibake-{owner}-0a0a", CreateBucketConfiguration=where)
    assert told(sweep(cloud, Rules())) == ({"bucket": f"amibake-{DEAD}-0a0a"}, {})


def test_a_group_and_a_profile_that_a_foreign_instance_uses_stay(cloud: Cloud) -> None:
    left = one_of_each(cloud, run(DEAD))
    image = KNOWN
    (foreign,) = cloud.ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, SecurityGroupIds=[left["security-group"]],
        IamInstanceProfile={"Name": left["role"]},
    )["Instances"]  # fmt: skip
    swept = sweep(cloud, Rules())
    why = f"{foreign['InstanceId']} uses it"
    assert {(one.kind, one.why) for one in swept.kept} == {
        ("security-group", why), ("instance-profile", why), ("role", why),
    }  # fmt: skip


def made_image(cloud: Cloud, owner: str, **tags: str) -> tuple[str, str]:
    base = KNOWN
    (source,) = cloud.ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"]
    marks = {"amibake:run": owner, **{f"amibake:{name}": value for name, value in tags.items()}}
    image = cloud.ec2.create_image(
        InstanceId=source["InstanceId"],
        Name=f"web-{source['InstanceId']}",
        TagSpecifications=specification(marks, "image"),
    )["ImageId"]
    volumes = cloud.ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    snapshot = volumes[0]["Ebs"]["SnapshotId"]
    cloud.ec2.create_tags(Resources=[snapshot], Tags=tag_list(marks))
    return image, snapshot


def test_an_image_is_nothing_temporary_and_a_candidate_is_kept_for_a_resume(cloud: Cloud) -> None:
    made_image(cloud, DEAD, state="verified")
    candidate, _ = made_image(cloud, DEAD, state="candidate")
    swept = sweep(cloud, Rules())
    assert swept.removed == []
    assert [(one.id, "--resume" in one.why) for one in swept.kept] == [(candidate, True)]


def test_a_snapshot_that_lost_its_image_goes_with_its_dead_run(cloud: Cloud) -> None:
    image, snapshot = made_image(cloud, DEAD, state="verified")
    cloud.ec2.deregister_image(ImageId=image)
    assert told(sweep(cloud, Rules())) == ({"snapshot": snapshot}, {})


def test_a_run_of_this_process_is_alive_and_a_reused_number_does_not_deceive() -> None:
    assert life(Run().id) is Life.ALIVE
    host, desk, pid, born, extra = Run().id.rsplit("-", 4)
    assert life(f"{host}-{desk}-{pid}-{'0' * 6}-{extra}") is Life.DEAD
    assert life(f"{host}-{desk}-{2**22 + 1}-{born}-{extra}") is Life.DEAD
    assert life(f"{host}-{'0' * 6}-{pid}-{born}-{extra}") is Life.ELSEWHERE
    assert life("amibake-demo") is Life.NO_PROCESS
    assert birth(os.getpid()) != birth(1)


def test_every_name_of_a_run_fits_where_aws_is_strictest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "A_Very.Long-Host" * 9)
    name = Run().new_name()
    assert len(name) <= 63
    assert name == name.lower()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("45m", 2700), ("2h", 7200), ("1d", 86400)])
def test_spans_are_read_and_said(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert spoken(duration(text)) == text


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "1.5h", "2 weeks"])
def test_what_is_no_span_is_refused_with_examples(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        duration(text)
    assert "45m" in caught.value.hint
