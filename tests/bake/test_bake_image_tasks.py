"""`images.…` as they are called: on records of images, with manifests on a shelf of one's own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from invoke.context import Context
from moto import mock_aws
from rich.console import Console

from aws.session import Cloud
from bake import image as images
from bake import image_tasks
from bake.contents import contents
from bake.errors import ImageInUse, NoManifest
from bake.fingerprint import fingerprint
from bake.foresight import foresee
from bake.plan import plan
from bake.shelf import Shelf
from bake.spec import load

KNOWN = "ami-12c6146b"  # one of those that moto brings; to list them takes seconds
Write = Callable[..., Path]
STEPS = "[[step]]\nfile = '/etc/a/b'\ncontent = 'one'\n"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AMIBAKE_STATE", str(tmp_path / "state"))
    with mock_aws():
        cloud = Cloud(boto3.client("ec2", region_name="eu-central-1"), "eu-central-1", "1")
        monkeypatch.setattr(image_tasks, "connect", lambda: cloud)
        yield cloud


def made(cloud: Cloud, number: int, digest: str = "", **more: str) -> str:
    """A verified image `web`, each a minute newer than the one before."""
    from moto.ec2.models import ec2_backends

    (source,) = cloud.ec2.run_instances(ImageId=KNOWN, MinCount=1, MaxCount=1)["Instances"]
    image = cloud.ec2.create_image(InstanceId=source["InstanceId"], Name=f"web-{number}")["ImageId"]
    tags = {images.NAME: "web", images.STATE: "verified", images.FINGERPRINT: digest or f"{number}" * 64}
    listed: Any = [{"Key": key, "Value": value} for key, value in {**tags, **more}.items()]
    cloud.ec2.create_tags(Resources=[image], Tags=listed)
    cloud.ec2.terminate_instances(InstanceIds=[source["InstanceId"]])
    record = ec2_backends["123456789012"]["eu-central-1"].amis[image]
    record.creation_date = datetime(2026, 1, 1, 0, number, tzinfo=UTC)
    return image


def snapshots(cloud: Cloud) -> set[str]:
    found = cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {one["SnapshotId"] for one in found}


def shown(outcome: Any) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(outcome)
    return text.getvalue()


def test_pruning_takes_images_with_their_snapshots_and_again_nothing(cloud: Cloud) -> None:
    before = snapshots(cloud)
    old = made(cloud, 1)
    of_the_old = snapshots(cloud) - before
    new = made(cloud, 2)
    assert of_the_old
    dry = image_tasks.prune.body(Context(), keep=1, dry_run=True)
    assert of_the_old <= snapshots(cloud)
    assert old in shown(dry)
    image_tasks.prune.body(Context(), keep=1)
    assert not of_the_old & snapshots(cloud)
    assert [one.id for one in images.ours(cloud)] == [new]
    again = image_tasks.prune.body(Context(), keep=1)
    assert [fate for fate in again.fates if fate.goes] == []


def test_an_image_that_came_into_use_meanwhile_stays(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = made(cloud, 1), made(cloud, 2)
    looks = iter([{}, {old: ["i-1"]}])
    monkeypatch.setattr(image_tasks, "in_use_by", lambda _: next(looks))
    with pytest.raises(ImageInUse, match=f"{old} has come into use by i-1"):
        image_tasks.prune.body(Context(), keep=1)
    assert old in [one.id for one in images.ours(cloud)]


def test_the_difference_names_packages_settings_and_files(cloud: Cloud) -> None:
    shelf = Shelf.of_user()
    for number in (1, 2):
        files = {"/opt/app/a.py": "a" * 64, "/opt/app/b.py": f"{number}" * 64}
        told = {"packages": {"jq": f"1.{number}"}, "settings": {"vars.x": 1}, "files": files}
        shelf.write_manifest(made(cloud, number), told)
    old, new = (one.id for one in images.ours(cloud))
    found = image_tasks.diff.body(Context(), old, new)
    document = found.document()
    assert document["packages"]["changed"] == {"jq": {"from": "1.1", "to": "1.2"}}
    assert list(document["files"]["changed"]) == ["/opt/app/b.py"]
    assert document["settings"] == {"added": {}, "removed": {}, "changed": {}}
    assert "~ /opt/app/b.py 111111111111 -> 222222222222" in shown(found)


def test_a_manifest_of_another_desk_is_said_to_be_missing_there(cloud: Cloud) -> None:
    with pytest.raises(NoManifest, match="is not on this desk"):
        image_tasks.show.body(Context(), made(cloud, 1))


def test_an_image_is_shown_with_steps_timings_and_packages(cloud: Cloud) -> None:
    image = made(cloud, 1)
    steps = [{"step": "file /etc/a (1 byte)", "changed": True, "seconds": 0.25}]
    told = {
        "name": "web",
        "made": "2026-01-01T00:01:00+00:00",
        "base": {"image_id": KNOWN, "name": "debian-13"},
        "fingerprint": "1" * 64,
        "steps": steps,
        "packages": {"jq": "1.7"},
        "seconds": {"converge": 3.5},
    }
    Shelf.of_user().write_manifest(image, told)
    found = image_tasks.show.body(Context(), "web")
    assert json.loads(json.dumps(found.document()))["packages"] == {"jq": "1.7"}
    for word in ("file /etc/a (1 byte)", "jq 1.7", "on ami-12c6146b (debian-13)"):
        assert word in shown(found)


def test_files_of_ours_are_those_of_files_trees_and_downloads(write: Write, tmp_path: Path) -> None:
    (tmp_path / "app" / "sub").mkdir(parents=True)
    (tmp_path / "app" / "sub" / "x.py").write_text("x")
    digest = "d" * 64
    more = (
        "[[step]]\ntree = '/opt/app'\nsource = 'app'\n"
        f"[[step]]\ndownload = '/opt/tool'\nurl = 'https://example.org/tool'\nsha256 = '{digest}'\n"
    )
    found = contents(plan(load(write(STEPS + more))))
    assert set(found) - {"/usr/sbin/policy-rc.d"} == {"/etc/a/b", "/opt/app/sub/x.py", "/opt/tool"}
    assert found["/opt/tool"] == digest


# --- what a dry run says of why ---


@pytest.fixture
def foreseen(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    base = images.Image(KNOWN, "debian-13", "admin", "x86_64", "/dev/xvda")
    monkeypatch.setattr(images, "public", lambda *_: base)
    return lambda path: foresee(path, cloud, Shelf.of_user())[0]


def digest_of(path: Path) -> str:
    return fingerprint(load(path), KNOWN).digest


def named(path: Path) -> Path:
    path.write_text(path.read_text().replace(load(path).name, "web", 1))
    return path


def test_without_an_image_there_is_none_yet(foreseen: Any, write: Write) -> None:
    layer = foreseen(named(write(STEPS)))
    assert (layer.reuse, layer.why) == (False, ("there is no image of 'web' yet",))


def test_the_same_content_is_reused(foreseen: Any, write: Write, cloud: Cloud) -> None:
    path = named(write(STEPS))
    image = made(cloud, 1, digest_of(path))
    layer = foreseen(path)
    assert (layer.reuse, layer.image_id) == (True, image)


def test_what_differs_is_named_from_the_manifest(foreseen: Any, write: Write, cloud: Cloud) -> None:
    path = named(write(STEPS))
    image = made(cloud, 1, digest_of(path))
    Shelf.of_user().write_manifest(image, {"inputs": dict(fingerprint(load(path), KNOWN).inputs)})
    path.write_text(path.read_text().replace("'one'", "'two'"))
    layer = foreseen(path)
    assert layer.reuse is False
    (line,) = layer.why
    assert line.startswith(f"since {image}: step file /etc/a/b changed: ")


def test_without_its_manifest_only_that_it_differs_is_known(
    foreseen: Any, write: Write, cloud: Cloud
) -> None:
    image = made(cloud, 1)
    (line,) = foreseen(named(write(STEPS))).why
    assert line == f"it differs from {image}, whose manifest is not on this desk"


def test_the_same_content_on_its_way_is_joined(foreseen: Any, write: Write, cloud: Cloud) -> None:
    path = named(write(STEPS))
    image = made(cloud, 1, digest_of(path), **{images.STATE: "candidate"})
    layer = foreseen(path)
    assert layer.why == (f"{image} of the same content is available and not verified: it is joined",)
    assert layer.reuse is False
