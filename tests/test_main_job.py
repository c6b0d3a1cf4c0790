"""The main job, as a user runs it: `invoke bake` on a local cloud of its own, to a node that serves."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cloud_fixture import Desk, invoke, leftovers
from PIL import Image

pytestmark = pytest.mark.machines

EXAMPLE = "bake/examples/hello/hello.toml"


def test_a_bake_ends_with_a_verified_image_of_three_layers(baked: dict[str, Any]) -> None:
    assert baked["state"] == "verified"
    assert [layer["spec"] for layer in baked["layers"]] == ["base.toml", "libraries.toml", "resizer.toml"]
    assert baked["layers"][-1]["image_id"] == baked["image_id"]


def test_its_manifest_tells_steps_packages_and_verdict(baked: dict[str, Any]) -> None:
    manifest = json.loads(Path(baked["manifest"]).read_text())
    assert manifest["fingerprint"] == baked["fingerprint"]
    assert manifest["packages"]["apache2"]
    assert manifest["verification"]["failed"] == 0
    assert manifest["verification"]["skipped"] == 0
    assert manifest["verification"]["passed"] > 100
    assert 0 < manifest["verification"]["boot_seconds"] < 600
    assert Path(manifest["verification"]["report"]).with_suffix(".xml").exists()


def test_a_node_of_it_serves_a_resized_photograph(baked: dict[str, Any]) -> None:
    address = baked["demo"]["address"]
    assert baked["demo"]["curl"].endswith(f"http://{address}/medium/photo.jpg")
    with urllib.request.urlopen(f"http://{address}/medium/photo.jpg", timeout=10) as answer:
        picture = Image.open(io.BytesIO(answer.read()))
    assert (picture.format, picture.size) == ("JPEG", (300, 200))


def test_nothing_changed_means_nothing_is_baked(baked: dict[str, Any], env: dict[str, str]) -> None:
    again = invoke("bake", "--json", env=env)
    document = json.loads(again.stdout)
    assert document["reused"]
    assert document["image_id"] == baked["image_id"]
    assert document["demo"]["instance_id"] == baked["demo"]["instance_id"]


def test_images_lists_it_and_who_uses_it(baked: dict[str, Any], env: dict[str, str]) -> None:
    listed = json.loads(invoke("images", "--json", env=env).stdout)
    mine = next(image for image in listed if image["image_id"] == baked["image_id"])
    assert mine["name"] == "resizer"
    assert mine["in_use_by"] == [baked["demo"]["instance_id"]]


def test_a_bake_leaves_only_the_demonstration(baked: dict[str, Any], desk: Desk) -> None:
    stays = {baked["demo"]["instance_id"]}
    left = [
        what for what in leftovers(desk.cloud) if what not in stays and not what.startswith("amibake-demo")
    ]
    groups = desk.cloud.ec2.describe_security_groups(GroupNames=["amibake-demo"])["SecurityGroups"]
    assert left == [group["GroupId"] for group in groups]


def test_an_image_that_fails_its_tests_is_failed_and_never_picked(
    baked: dict[str, Any], env: dict[str, str], tmp_path: Path
) -> None:
    test = "def test_what_cannot_be(host):\n    assert host.file('/nowhere').exists\n"
    (tmp_path / "test_never.py").write_text(test)
    spec = tmp_path / "doomed.toml"
    spec.write_text('name = "doomed"\nbase = "debian-13"\n[verify]\ntests = ["test_never.py"]\n')
    doomed = invoke("bake", f"--spec={spec}", "--json", env=env)
    assert doomed.returncode == 1
    assert doomed.stdout == ""
    assert "test_what_cannot_be" in doomed.stderr
    listed = json.loads(invoke("images", "--json", env=env).stdout)
    states = {image["name"]: image["state"] for image in listed}
    assert states["doomed"] == "failed"
    assert invoke("demo", "--image=doomed", env=env).returncode == 1


def test_the_shipped_example_is_baked_on_the_same_base_and_greets(
    baked: dict[str, Any], env: dict[str, str]
) -> None:
    done = invoke("bake", f"--spec={EXAMPLE}", "--json", env=env)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    below, hello = document["layers"]
    assert (below["reused"], below["image_id"]) == (True, baked["layers"][0]["image_id"])
    assert (hello["spec"], document["state"]) == ("hello.toml", "verified")
    report = Path(json.loads(Path(document["manifest"]).read_text())["verification"]["report"])
    assert "test_apache_greets" in report.with_suffix(".xml").read_text()
