from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from aws.session import Cloud
from bake import image as images
from bake.errors import BakeError, BaseNotFound, ImageAmbiguous, ImageNameTaken, ImageNotFound, StepFailed
from bake.foresight import foresee
from bake.image_tasks import moment
from bake.shelf import Shelf
from bake.usage import in_use_by

KNOWN = "ami-12c6146b"  # one of those that moto brings; to list them takes seconds
NOW = datetime(2026, 11, 23, tzinfo=UTC)
TAGS = {images.NAME: "web", images.FINGERPRINT: "f" * 64, images.STATE: images.VERIFIED}


class Ec2:
    """Answers CreateImage and DescribeImages as EC2 does; moto lets a name be taken twice."""

    def __init__(self, **taken: str) -> None:
        self.images = {
            name: {
                "ImageId": f"ami-{name}", "Name": name, "State": "available", "Architecture": "x86_64",
                "CreationDate": "2026-11-23T00:00:00.000Z",
                "Tags": [{"Key": images.FINGERPRINT, "Value": fingerprint}],
            }
            for name, fingerprint in taken.items()
        }  # fmt: skip

    def create_image(self, **asked: Any) -> Any:
        name = asked["Name"].replace("-", "_")
        if name in self.images:
            error: Any = {"Error": {"Code": "InvalidAMIName.Duplicate", "Message": "taken"}}
            raise ClientError(error, "CreateImage")
        return {"ImageId": f"ami-new-{asked['Name']}"}

    def describe_images(self, Owners: Any, Filters: Any) -> Any:  # noqa: N803 (AWS's own)
        (name,) = Filters[0]["Values"]
        return {"Images": [self.images[name.replace("-", "_")]]}


def cloud_of(ec2: Any) -> Cloud:
    return Cloud(ec2, "eu-central-1", "1")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield cloud_of(boto3.client("ec2", region_name="eu-central-1"))


def made(cloud: Cloud, name: str, **more: str) -> str:
    base = KNOWN
    (source,) = cloud.ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"]
    tags = [{"Key": key, "Value": value} for key, value in {**TAGS, **more}.items()]
    image = cloud.ec2.create_image(InstanceId=source["InstanceId"], Name=name)["ImageId"]
    cloud.ec2.create_tags(Resources=[image], Tags=tags)  # type: ignore[arg-type]
    cloud.ec2.terminate_instances(InstanceIds=[source["InstanceId"]])
    return image


def test_a_name_taken_by_other_content_gets_a_number_and_the_work_is_not_lost() -> None:
    assert images.create(cloud_of(Ec2(web="0" * 64)), "i-1", "web", TAGS) == "ami-new-web-2"


def test_a_name_taken_by_the_same_content_is_that_image() -> None:
    assert images.create(cloud_of(Ec2(web="f" * 64)), "i-1", "web", TAGS) == "ami-web"


def test_a_name_taken_again_and_again_is_an_error_with_a_way_out() -> None:
    taken = {"web": "0", **{f"web_{number}": "0" for number in range(2, 6)}}
    with pytest.raises(ImageNameTaken, match="web to web-5") as caught:
        images.create(cloud_of(Ec2(**taken)), "i-1", "web", TAGS)
    assert "images.prune" in caught.value.hint


def test_two_of_one_second_with_different_content_are_not_guessed_between(cloud: Cloud) -> None:
    from moto.ec2.models import ec2_backends

    first, second = made(cloud, "web-1"), made(cloud, "web-2", **{images.FINGERPRINT: "e" * 64})
    records = ec2_backends["123456789012"]["eu-central-1"].amis
    records[second].creation_date = records[first].creation_date
    with pytest.raises(ImageAmbiguous) as caught:
        images.find(cloud, "web")
    assert first in str(caught.value)
    assert second in str(caught.value)


def test_two_of_one_second_with_the_same_content_are_as_good_as_one(cloud: Cloud) -> None:
    from moto.ec2.models import ec2_backends

    first, second = made(cloud, "web-1"), made(cloud, "web-2")
    records = ec2_backends["123456789012"]["eu-central-1"].amis
    records[second].creation_date = records[first].creation_date
    assert images.find(cloud, "web").id == max(first, second)


def test_an_unknown_id_and_an_unknown_name_say_where_to_look(cloud: Cloud) -> None:
    for wanted in ("ami-0123456789abcdef0", "nothing"):
        with pytest.raises(ImageNotFound) as caught:
            images.find(cloud, wanted)
        assert "`invoke images`" in caught.value.hint


def test_a_region_without_the_base_is_named(cloud: Cloud) -> None:
    with pytest.raises(BaseNotFound, match="eu-central-1 has no image debian-13-arm64") as caught:
        images.public(cloud, "debian-13", "arm64")
    assert "AWS_REGION" in caught.value.hint


def test_instances_and_launch_templates_use_an_image(cloud: Cloud) -> None:
    image, old = made(cloud, "web-1"), made(cloud, "web-0")
    template = cloud.ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": old}
    )["LaunchTemplate"]["LaunchTemplateId"]
    cloud.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"ImageId": image})
    (node,) = cloud.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"]
    users = in_use_by(cloud)
    assert users[image] == [node["InstanceId"], template]
    assert users[old] == [template]


@pytest.mark.parametrize("words", ["No space left on device", "E: You don't have enough free space (ENOSPC)"])
def test_a_full_disk_is_recognised_whatever_the_step_had_to_say(words: str) -> None:
    assert "root_volume_gib" in StepFailed("packages x", 1, f"tar: x: {words}", "another hint").hint


def test_any_other_failure_keeps_its_own_hint() -> None:
    assert StepFailed("packages x", 1, "no such package", "did you mean y?").hint == "did you mean y?"


def test_a_plan_without_a_cloud_says_that_reuse_is_unknown(write: Any, tmp_path: Path) -> None:
    (layer,) = foresee(write(), None, Shelf(tmp_path))
    assert layer.reuse is None
    assert "invoke local.up" in layer.why[0]
    assert layer.steps


@pytest.mark.parametrize(
    ("at", "within"), [("", ""), ("2027-01-01", "30d"), ("soon", ""), ("2020-01-01", "")]
)
def test_a_time_that_cannot_be_meant_is_refused(at: str, within: str) -> None:
    with pytest.raises(BakeError) as caught:
        moment(at, within, NOW)
    assert caught.value.hint


def test_a_time_is_a_day_a_moment_or_a_span_and_always_utc() -> None:
    assert moment("2027-01-31", "", NOW) == datetime(2027, 1, 31, tzinfo=UTC)
    assert moment("2027-01-31T12:00:00+02:00", "", NOW) == datetime(2027, 1, 31, 10, tzinfo=UTC)
    assert moment("", "30d", NOW) == datetime(2026, 12, 23, tzinfo=UTC)
