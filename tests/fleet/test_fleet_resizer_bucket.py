"""Originals are put into the nodes' bucket, and what was made of them is purged from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.config import Config
from invoke.context import Context

from fleet import resizer_tasks
from fleet.resizer_views import Stored
from resizer.errors import BadAddressError, ConfigError, ToolError

if TYPE_CHECKING:
    from aws.session import Cloud

MADE = ("w300,h300/b/a.jpg", "w9/b/a.jpg", ".masters/b/a.jpg", "w300,h300/b/other.jpg")


@pytest.fixture
def cloud(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    where = {"LocationConstraint": mock_cloud.region}
    mock_cloud.s3.create_bucket(Bucket="photos", CreateBucketConfiguration=where)  # type: ignore[arg-type]
    monkeypatch.setattr(resizer_tasks, "connect", lambda: mock_cloud)
    for name in MADE:
        mock_cloud.s3.put_object(Bucket="photos", Key=f"out/{name}", Body=b"made")
    return mock_cloud


@pytest.fixture
def put() -> Callable[..., Stored]:
    return lambda *argv, **options: resizer_tasks.put.body(Context(Config()), *argv, **options)


def keys(cloud: Cloud, prefix: str) -> list[str]:
    return [
        one["Key"] for one in cloud.s3.list_objects_v2(Bucket="photos", Prefix=prefix).get("Contents", [])
    ]


def test_a_purge_removes_what_was_made_of_a_key_and_tells_the_nodes(cloud: Cloud) -> None:
    outcome = resizer_tasks.purge.body(Context(Config()), "b/a.jpg", "photos", results_prefix="out")
    assert outcome == Stored("purged", "photos", ("b/a.jpg",))
    assert [key for key in keys(cloud, "out/") if ".purges" not in key] == ["out/w300,h300/b/other.jpg"]
    (marker,) = keys(cloud, "out/.purges/")
    assert b"b/a.jpg" in cloud.s3.get_object(Bucket="photos", Key=marker)["Body"].read()


def test_originals_are_put_with_their_type_where_the_nodes_look_and_what_they_replace_is_purged(
    cloud: Cloud, tmp_path: Path, put: Callable[..., Stored]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"new")
    (tmp_path / "c.webp").write_bytes(b"newer")
    outcome = put(f"{tmp_path}/*.jpg", "photos", [f"{tmp_path}/c.webp"], "b", "in", "out")
    assert outcome.document() == {"put": ["b/a.jpg", "b/c.webp"], "bucket": "photos"}
    found = cloud.s3.get_object(Bucket="photos", Key="in/b/a.jpg")
    assert (found["Body"].read(), found["ContentType"]) == (b"new", "image/jpeg")
    assert keys(cloud, "in/") == ["in/b/a.jpg", "in/b/c.webp"]
    assert [key for key in keys(cloud, "out/") if ".purges" not in key] == ["out/w300,h300/b/other.jpg"]
    assert len(keys(cloud, "out/.purges/")) == 2


def test_nothing_is_put_when_one_of_the_keys_cannot_be(
    cloud: Cloud, tmp_path: Path, put: Callable[..., Stored]
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / ".b.jpg").touch()
    with pytest.raises(BadAddressError):
        put(f"{tmp_path}/a.jpg", "photos", [f"{tmp_path}/.b.jpg"], "in")
    with pytest.raises(ConfigError, match="'results_prefix'"):
        put(f"{tmp_path}/a.jpg", "photos", prefix="x", results_prefix="x")
    assert keys(cloud, "in/") == []


def test_what_is_no_file_is_told(cloud: Cloud, tmp_path: Path, put: Callable[..., Stored]) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ToolError, match="folder: Is a directory"):
        put(f"{tmp_path}/folder", "photos")
    assert keys(cloud, "folder") == []
