"""Single attributes of an image: permissions, description, deprecation, protection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from image_cloud import ImageCloud, refused


@pytest.fixture
def ec2(image_cloud: ImageCloud) -> Any:
    return image_cloud.client("ec2")


@pytest.fixture
def made(image_cloud: ImageCloud) -> str:
    return image_cloud.image()


def permissions(ec2: Any, image_id: str) -> list[dict[str, str]]:
    answer = ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
    return list(answer["LaunchPermissions"])


def test_launch_permissions_are_given_and_taken_back(ec2: Any, made: str) -> None:
    organisation = {"OrganizationArn": "arn:aws:organizations::123456789012:organization/o-123example"}
    ec2.modify_image_attribute(
        ImageId=made, LaunchPermission={"Add": [{"UserId": "111122223333"}, {"Group": "all"}, organisation]}
    )
    assert permissions(ec2, made) == [{"UserId": "111122223333"}, {"Group": "all"}, organisation]
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["Public"] is True
    ec2.modify_image_attribute(
        ImageId=made, Attribute="launchPermission", OperationType="remove", UserGroups=["all"]
    )
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Remove": [organisation]})
    assert permissions(ec2, made) == [{"UserId": "111122223333"}]
    ec2.reset_image_attribute(ImageId=made, Attribute="launchPermission")
    assert permissions(ec2, made) == []


def test_a_permission_is_given_once_however_often_it_is_asked_for(ec2: Any, made: str) -> None:
    for _ in range(2):
        ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    assert permissions(ec2, made) == [{"UserId": "111122223333"}]


@pytest.mark.parametrize("wrong", [{"UserId": "12"}, {"Group": "some"}])
def test_a_permission_for_nobody_is_refused(ec2: Any, made: str, wrong: dict[str, str]) -> None:
    with refused("InvalidAMIAttributeItemValue"):
        ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [wrong]})


@pytest.mark.parametrize(
    "change",
    [{"Description": {"Value": "new"}}, {"Attribute": "description", "Value": "new"}],
)
def test_a_description_is_changed_in_either_form(ec2: Any, made: str, change: dict[str, Any]) -> None:
    ec2.modify_image_attribute(ImageId=made, **change)
    answer = ec2.describe_image_attribute(ImageId=made, Attribute="description")
    assert answer["Description"] == {"Value": "new"}
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["Description"] == "new"


def test_imdsv2_can_be_required_later_but_nothing_else(ec2: Any, made: str) -> None:
    with refused("InvalidParameterValue"):
        ec2.modify_image_attribute(ImageId=made, ImdsSupport={"Value": "v1.0"})
    ec2.modify_image_attribute(ImageId=made, ImdsSupport={"Value": "v2.0"})
    answer = ec2.describe_image_attribute(ImageId=made, Attribute="imdsSupport")
    assert answer["ImdsSupport"] == {"Value": "v2.0"}


def test_a_change_of_nothing_is_refused(ec2: Any, made: str) -> None:
    with refused("InvalidParameterCombination"):
        ec2.modify_image_attribute(ImageId=made)


def test_the_last_launch_is_remembered(image_cloud: ImageCloud, ec2: Any, made: str) -> None:
    assert (
        "Value"
        not in ec2.describe_image_attribute(ImageId=made, Attribute="lastLaunchedTime")["LastLaunchedTime"]
    )
    image_cloud.instance(ImageId=made)
    answer = ec2.describe_image_attribute(ImageId=made, Attribute="lastLaunchedTime")
    assert answer["LastLaunchedTime"]["Value"] == image_cloud.catalog.images[made].last_launched != ""


@pytest.mark.parametrize(
    ("attribute", "code"), [("blockDeviceMapping", "AuthFailure"), ("colour", "InvalidParameterValue")]
)
def test_attributes_that_cannot_be_seen_are_refused(ec2: Any, made: str, attribute: str, code: str) -> None:
    with refused(code):
        ec2.describe_image_attribute(ImageId=made, Attribute=attribute)


def test_attributes_of_others_images_are_not_ours_to_see(image_cloud: ImageCloud, ec2: Any) -> None:
    with refused("AuthFailure"):
        ec2.describe_image_attribute(ImageId=image_cloud.debian(), Attribute="description")


def test_a_deprecation_is_in_the_future_and_can_be_taken_back(
    image_cloud: ImageCloud, ec2: Any, made: str
) -> None:
    with refused("InvalidParameterValue"):
        ec2.enable_image_deprecation(ImageId=made, DeprecateAt=image_cloud.now() - timedelta(days=1))
    ec2.enable_image_deprecation(ImageId=made, DeprecateAt=image_cloud.now() + timedelta(days=1))
    assert "DeprecationTime" in ec2.describe_images(ImageIds=[made])["Images"][0]
    ec2.disable_image_deprecation(ImageId=made)
    assert "DeprecationTime" not in ec2.describe_images(ImageIds=[made])["Images"][0]


def test_a_protected_image_is_not_deregistered(ec2: Any, made: str) -> None:
    answer = ec2.enable_image_deregistration_protection(ImageId=made)
    assert answer["Return"] == "enabled-without-cooldown"
    with refused("OperationNotPermitted", made):
        ec2.deregister_image(ImageId=made)
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["DeregistrationProtection"] == answer["Return"]
    ec2.disable_image_deregistration_protection(ImageId=made)
    assert ec2.deregister_image(ImageId=made)["Return"] is True


def test_a_cooldown_protects_for_another_day(image_cloud: ImageCloud, ec2: Any, made: str) -> None:
    ec2.enable_image_deregistration_protection(ImageId=made, WithCooldown=True)
    ec2.disable_image_deregistration_protection(ImageId=made)
    with refused("OperationNotPermitted", "until"):
        ec2.deregister_image(ImageId=made)
    image_cloud.later = timedelta(hours=25)
    assert ec2.deregister_image(ImageId=made)["Return"] is True
