"""One node that serves: there is one of it, and the next takes its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from aws.patience import Patience
from aws.place import Place
from fleet import demo
from fleet.errors import NotServing

if TYPE_CHECKING:
    from aws.session import Cloud

Image = Callable[[], str]


@pytest.fixture
def image(mock_cloud: Cloud) -> Image:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    return lambda: str(ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].register_image("web").id)


@pytest.fixture(autouse=True)
def serving(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    subnet = mock_cloud.ec2.describe_subnets()["Subnets"][0]
    place = Place(subnet["SubnetId"], subnet["VpcId"], "192.0.2.7/32")
    monkeypatch.setattr(demo, "find_place", lambda *_: place)
    monkeypatch.setattr(demo, "_fetched", lambda url: True)


def _running(cloud: Cloud) -> set[str]:
    return {one["InstanceId"] for one in demo._running(cloud)}


def test_a_demonstration_serves_the_photograph_from_its_bucket(mock_cloud: Cloud, image: Image) -> None:
    shown = demo.show(mock_cloud, image(), lambda: b"a photograph")
    kept = mock_cloud.s3.get_object(Bucket=shown.bucket, Key="photo.jpg")
    assert kept["Body"].read() == b"a photograph"
    assert shown.url == f"http://{shown.address}/medium/photo.jpg"
    assert shown.url in shown.document()["curl"]
    assert _running(mock_cloud) == {shown.instance_id}


def test_a_second_one_of_the_same_image_is_the_first(mock_cloud: Cloud, image: Image) -> None:
    wanted, painted = image(), iter([b"the only one"])
    paint = partial(next, painted)
    assert demo.show(mock_cloud, wanted, paint) == demo.show(mock_cloud, wanted, paint)


def test_one_of_another_image_takes_its_place(mock_cloud: Cloud, image: Image) -> None:
    first, second = (demo.show(mock_cloud, image(), bytes) for _ in range(2))
    assert first.instance_id != second.instance_id
    assert _running(mock_cloud) == {second.instance_id}


def test_a_node_that_does_not_serve_is_told_with_a_next_step(
    mock_cloud: Cloud, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_fetched", lambda url: None)
    monkeypatch.setattr(demo, "_SERVING", Patience(0, 0))
    with pytest.raises(NotServing, match="being served took more than") as caught:
        demo.show(mock_cloud, image(), bytes)
    assert "local.console" in caught.value.hint
