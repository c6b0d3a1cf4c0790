"""DescribeImages and DescribeSnapshots: who sees what, filters, pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from image_cloud import ImageCloud, refused

from localcloud.filters import passes
from localcloud.pages import page


@pytest.fixture
def ec2(image_cloud: ImageCloud) -> Any:
    return image_cloud.client("ec2")


@pytest.fixture
def named(image_cloud: ImageCloud, ec2: Any) -> dict[str, str]:
    """Three images by name, of one snapshot."""
    first = image_cloud.image(
        "web-1", TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "tier", "Value": "web"}]}]
    )
    more = {
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {"SnapshotId": image_cloud.snapshot_of(first), "VolumeSize": 9},
            }
        ],
    }
    second = ec2.register_image(Name="web-2", Architecture="arm64", BootMode="uefi", **more)["ImageId"]
    third = ec2.register_image(Name="db-1", Architecture="x86_64", EnaSupport=True, **more)["ImageId"]
    return {first: "web-1", second: "web-2", third: "db-1"}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"name": ["web-*"]}, {"web-1", "web-2"}),
        ({"name": ["web-?"], "architecture": ["arm64"]}, {"web-2"}),
        ({"name": [r"db\*1"]}, set()),
        ({"name": ["WEB-*"]}, set()),
        ({"tag:tier": ["web", "app"]}, {"web-1"}),
        ({"tag-key": ["tier"]}, {"web-1"}),
        ({"tag-key": ["absent"]}, set()),
        ({"root-device-name": ["/dev/sda1"]}, {"web-2", "db-1"}),
        ({"block-device-mapping.volume-size": ["9"]}, {"web-2", "db-1"}),
        ({"boot-mode": ["uefi"]}, {"web-2"}),
        ({"ena-support": ["true"], "is-public": ["false"]}, {"web-1", "db-1"}),
        ({"owner-id": ["123456789012"], "state": ["available"]}, {"web-1", "web-2", "db-1"}),
        ({"creation-date": ["1999-*"]}, set()),
    ],
)  # fmt: skip
def test_filters_choose_images(
    ec2: Any, named: dict[str, str], filters: dict[str, list[str]], wanted: set[str]
) -> None:
    asked = [{"Name": name, "Values": values} for name, values in filters.items()]
    found = ec2.describe_images(Filters=asked)["Images"]
    assert {named[image["ImageId"]] for image in found} == wanted


def test_images_are_found_by_their_snapshot(image_cloud: ImageCloud, ec2: Any, named: dict[str, str]) -> None:
    snapshot = image_cloud.snapshot_of(next(iter(named)))
    asked = [{"Name": "block-device-mapping.snapshot-id", "Values": [snapshot]}]
    assert {one["ImageId"] for one in ec2.describe_images(Filters=asked)["Images"]} == set(named)


def test_a_filter_that_ec2_does_not_know_is_refused(ec2: Any) -> None:
    with refused("InvalidParameterValue", "colour"):
        ec2.describe_images(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_owners_choose_images(ec2: Any, named: dict[str, str]) -> None:
    def names(**asked: Any) -> set[str]:
        return {image["Name"].split("-amd64")[0] for image in ec2.describe_images(**asked)["Images"]}

    assert names(Owners=["self"]) == names(Owners=["123456789012"]) == {"web-1", "web-2", "db-1"}
    assert names(Owners=["136693071363"]) == {"debian-12", "debian-13"}
    assert names(Owners=["amazon"]) == set()


def test_executable_users_choose_what_was_shared_with_them(
    image_cloud: ImageCloud, ec2: Any, named: dict[str, str]
) -> None:
    shared = next(iter(named))
    ec2.modify_image_attribute(
        ImageId=shared, Attribute="launchPermission", OperationType="add", UserIds=["111122223333"]
    )
    found = ec2.describe_images(ExecutableUsers=["111122223333"])["Images"]
    assert [image["ImageId"] for image in found] == [shared]
    public = ec2.describe_images(ExecutableUsers=["all"])["Images"]
    assert {image["OwnerId"] for image in public} == {"136693071363"}
    assert ec2.describe_images(ExecutableUsers=["self"])["Images"] == []


@pytest.mark.parametrize("call", ["describe_images", "deregister_image"])
@pytest.mark.parametrize(
    ("image_id", "code"),
    [
        ("ami-00000000000000000", "InvalidAMIID.NotFound"),
        ("ami-nonsense", "InvalidAMIID.Malformed"),
        ("i-0123456789abcdef0", "InvalidAMIID.Malformed"),
    ],
)
def test_unknown_and_malformed_ids_are_told_apart(ec2: Any, call: str, image_id: str, code: str) -> None:
    asked = {"ImageIds": [image_id]} if call == "describe_images" else {"ImageId": image_id}
    with refused(code, image_id):
        getattr(ec2, call)(**asked)


def test_a_disabled_image_is_listed_only_when_asked_for_and_not_launched(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    made = image_cloud.image()
    ec2.disable_image(ImageId=made)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    (image,) = ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
    assert image["State"] == "disabled"
    with refused("InvalidAMIID.Unavailable"):
        image_cloud.instance(ImageId=made)
    ec2.enable_image(ImageId=made)
    assert image_cloud.instance(ImageId=made)


def test_a_deprecated_image_of_ours_stays_listed_and_tells_its_time(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    made = image_cloud.image()
    at = (image_cloud.now() + timedelta(hours=1)).replace(second=10, microsecond=0)
    ec2.enable_image_deprecation(ImageId=made, DeprecateAt=at)
    image_cloud.later = timedelta(hours=2)
    (image,) = ec2.describe_images(Owners=["self"])["Images"]
    assert image["DeprecationTime"] == at.strftime("%Y-%m-%dT%H:%M:00.000Z")


def test_a_deprecated_image_of_others_is_listed_only_when_asked_for(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    public = image_cloud.debian()
    image_cloud.catalog.change(public, deprecation="2020-01-01T00:00:00.000Z")
    found = [image["ImageId"] for image in ec2.describe_images()["Images"]]
    assert public not in found
    assert public in [image["ImageId"] for image in ec2.describe_images(IncludeDeprecated=True)["Images"]]


def test_the_paginator_walks_over_all_images(ec2: Any, named: dict[str, str]) -> None:
    pages = list(ec2.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(one["Images"]) for one in pages] == [2, 2, 1]
    assert len({image["ImageId"] for one in pages for image in one["Images"]}) == 5


def test_a_page_goes_on_where_the_last_one_ended_though_images_went(ec2: Any, named: dict[str, str]) -> None:
    whole = [image["ImageId"] for image in ec2.describe_images(Owners=["self"], MaxResults=1000)["Images"]]
    first = ec2.describe_images(Owners=["self"], MaxResults=1)
    ec2.deregister_image(ImageId=whole[0])
    second = ec2.describe_images(Owners=["self"], MaxResults=1, NextToken=first["NextToken"])
    assert [second["Images"][0]["ImageId"]] == whole[1:2]


def test_a_token_that_is_none_is_refused(ec2: Any) -> None:
    with refused("InvalidNextToken"):
        ec2.describe_images(MaxResults=5, NextToken="nonsense")


def test_snapshots_are_chosen_by_filters_owners_and_ids(
    image_cloud: ImageCloud, ec2: Any, named: dict[str, str]
) -> None:
    snapshot = image_cloud.snapshot_of(next(iter(named)))
    ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "tier", "Value": "web"}])
    for asked in (
        {"Filters": [{"Name": "tag:tier", "Values": ["w*"]}]},
        {"Filters": [{"Name": "volume-size", "Values": ["8"]}, {"Name": "status", "Values": ["completed"]}]},
        {"OwnerIds": ["self"]},
        {"SnapshotIds": [snapshot]},
    ):
        assert [one["SnapshotId"] for one in ec2.describe_snapshots(**asked)["Snapshots"]] == [snapshot]
    assert ec2.describe_snapshots(OwnerIds=["999999999999"])["Snapshots"] == []


def test_every_filter_must_pass_and_any_of_its_values_may() -> None:
    values = {"colour": ["red", "blue"], "size": ["3"]}.get
    assert passes({"colour": ["green", "b*"], "size": ["3"]}, values)
    assert not passes({"colour": ["blue"], "size": ["4"]}, values)
    assert passes({}, values)


def test_the_last_page_has_no_token() -> None:
    assert page(["b", "a"], str, 2, "") == (["a", "b"], "")
    shown, token = page(["b", "a", "c"], str, 2, "")
    assert (shown, page(["b", "a", "c"], str, 2, token)) == (["a", "b"], (["c"], ""))


def test_a_star_behind_a_backslash_is_a_star() -> None:
    values = {"name": ["a*b"]}.get
    assert passes({"name": [r"a\*b"]}, values)
    assert not passes({"name": [r"a\*b"]}, {"name": ["axb"]}.get)
