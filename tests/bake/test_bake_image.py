"""Images, found and waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from moto_fixture import FakeClock, refusal

from aws.errors import OutOfPatience
from aws.patience import Patience
from bake import image as images
from bake.errors import BaseNotFound, ImageFailed, ImageNotFound


def described(
    image_id: str, *, created: str = "2026-01-01", aws: str = "available", **tags: str
) -> dict[str, Any]:
    named = {"image": images.NAME, "state": images.STATE, "fingerprint": images.FINGERPRINT}
    return {
        "ImageId": image_id,
        "Name": f"name-{image_id}",
        "Architecture": "x86_64",
        "State": aws,
        "CreationDate": created,
        "Tags": [{"Key": named[key], "Value": value} for key, value in tags.items()],
    }


class FakeEc2:
    """DescribeImages over a list, with the filters that the product uses."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = list(found)
        self.asked: list[dict[str, Any]] = []

    def describe_images(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        ids = asked.get("ImageIds")
        if ids is not None:
            known = [one for one in self.found if one["ImageId"] in ids]
            if not known:
                raise refusal("InvalidAMIID.NotFound")
            return {"Images": known}
        return {"Images": [one for one in self.found if all(_passes(one, f) for f in asked["Filters"])]}

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda **asked: [self.describe_images(**asked)])


def _passes(one: dict[str, Any], wanted: dict[str, Any]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    kind, _, key = wanted["Name"].partition(":")
    if kind == "tag":
        return tags.get(key) in wanted["Values"]
    return kind != "tag-key" or wanted["Values"][0] in tags


def _cloud(*found: dict[str, Any]) -> Any:
    return SimpleNamespace(ec2=FakeEc2(*found), region="eu-central-1")


def test_of_public_images_the_newest_is_taken_and_only_debians_own() -> None:
    cloud = _cloud(described("ami-1", created="2026-01-01"), described("ami-2", created="2026-03-01"),
                   described("ami-3", created="2025-12-31"))  # fmt: skip
    found = images.public(cloud, "debian-13", "arm64")
    assert (found.id, found.login) == ("ami-2", "admin")
    (asked,) = cloud.ec2.asked
    assert asked["Owners"] == ["136693071363"]
    assert asked["Filters"][0]["Values"] == ["debian-13-arm64-*"]


def test_a_region_without_the_public_image_is_named() -> None:
    with pytest.raises(BaseNotFound, match="eu-central-1 has no image debian-13-amd64-") as caught:
        images.public(_cloud(), "debian-13", "x86_64")
    assert "AWS_REGION" in caught.value.hint


@pytest.mark.parametrize("name", ["ubuntu-24.04", "debian", "debian-", "debian-sid", "windows"])
def test_a_base_that_nobody_knows_is_named(name: str) -> None:
    with pytest.raises(BaseNotFound, match=f"'{name}' is neither a public image known here nor a spec"):
        images.public(_cloud(), name, "x86_64")


def test_by_name_the_newest_verified_image_is_found_never_a_candidate_or_a_failed_one() -> None:
    cloud = _cloud(
        described("ami-1", created="1", image="web", state="verified", fingerprint="f"),
        described("ami-2", created="2", image="web", state="verified", fingerprint="f"),
        described("ami-3", created="3", image="web", state="candidate", fingerprint="f"),
        described("ami-4", created="4", image="web", state="failed", fingerprint="f"),
        described("ami-5", created="5", image="web", state="verified", fingerprint="f", aws="pending"),
        described("ami-6", created="6", image="other", state="verified", fingerprint="f"),
        described("ami-7", created="7", image="web", state="verified"),
    )
    assert images.find(cloud, "web").id == "ami-2"


def test_a_name_with_only_unproven_images_finds_nothing() -> None:
    cloud = _cloud(described("ami-3", image="web", state="candidate", fingerprint="f"))
    with pytest.raises(ImageNotFound, match="no verified image of 'web'") as caught:
        images.find(cloud, "web")
    assert "invoke images" in caught.value.hint
    assert images.newest(cloud, "web").id == "ami-3"


def test_by_id_any_image_is_found() -> None:
    cloud = _cloud(described("ami-4", image="web", state="failed", fingerprint="f"))
    assert images.find(cloud, "ami-4").state == "failed"


def test_an_id_that_does_not_exist_is_named() -> None:
    with pytest.raises(ImageNotFound, match="there is no image ami-9"):
        images.find(_cloud(), "ami-9")


def test_images_of_a_fingerprint_are_those_there_or_on_their_way() -> None:
    cloud = _cloud(
        described("ami-1", fingerprint="f"),
        described("ami-2", fingerprint="f", aws="pending"),
        described("ami-3", fingerprint="f", aws="failed"),
        described("ami-4", fingerprint="g"),
    )
    assert [one.id for one in images.same(cloud, "f")] == ["ami-1", "ami-2"]


def test_an_image_that_is_too_new_to_be_found_is_waited_for(clock: FakeClock) -> None:
    cloud = _cloud()

    def appear(seconds: float) -> None:
        clock.now += seconds
        cloud.ec2.found = [described("ami-1", aws="pending" if clock.now < 5 else "available")]

    clock.sleep = appear  # type: ignore[method-assign]
    assert images.wait_available(cloud, "ami-1", clock=clock).id == "ami-1"
    assert 5 <= clock.now < 7


@pytest.mark.parametrize("state", ["failed", "error", "invalid", "deregistered"])
def test_an_image_that_aws_gives_up_is_told_with_the_reason(clock: FakeClock, state: str) -> None:
    one = described("ami-1", aws=state) | {"StateReason": {"Message": "Client.InternalError: disk"}}
    with pytest.raises(ImageFailed, match=r"ami-1 could not be made: Client\.InternalError: disk"):
        images.wait_available(_cloud(one), "ami-1", clock=clock)


def test_when_patience_ends_the_image_is_left_alone_and_the_next_bake_joins_it(clock: FakeClock) -> None:
    cloud = _cloud(described("ami-1", aws="pending"))
    with pytest.raises(OutOfPatience, match="ami-1: becoming available") as caught:
        images.wait_available(cloud, "ami-1", Patience(1, 60), clock)
    assert "nothing was deleted" in caught.value.hint
    assert "`invoke bake --resume` joins it" in caught.value.hint
    assert {tuple(one) for one in cloud.ec2.asked} == {("ImageIds",)}
