"""What is reused, joined, baked anew; and how that is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console

from aws.instance import Instance
from aws.keys import SshKey
from bake import bakery, builder
from bake import image as images
from bake import verify as verification
from bake.errors import BakeError, CloudInitFailed, NotVerified
from bake.image import Image
from bake.kitchen import Kitchen
from bake.machine import Result
from bake.manifest import packages
from bake.progress import Progress
from bake.report import TestReport, read_junit
from bake.shelf import Shelf
from bake.verify import Trial

Write = Callable[..., Path]

SUITE = '[verify]\ntests = ["."]\n'
BASE = Image("ami-base", "debian-13", "admin", "x86_64", "/dev/xvda")


def _image(image_id: str, state: str, aws: str = "available") -> Image:
    return Image(image_id, "web", "admin", "x86_64", "/dev/xvda", aws_state=aws, state=state)


class World:
    """The cloud as the bakery sees it: images that are known, and what was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.known: list[Image] = []
        self.baked: list[str] = []
        self.proven: list[str] = []
        progress = Progress(Console(file=io.StringIO()))
        self.kitchen: Any = Kitchen(SimpleNamespace(), SimpleNamespace(), Shelf(tmp_path / "shelf"), progress)  # type: ignore[arg-type]
        monkeypatch.setattr(images, "public", lambda *_: BASE)
        monkeypatch.setattr(images, "same", lambda _, digest: tuple(self.known))
        # Claims and joins have tests of their own, against records of instances: test_bake_claim.py.
        monkeypatch.setattr(bakery, "claims", lambda *_: ())
        monkeypatch.setattr(bakery, "_baked", self._bake)
        monkeypatch.setattr(bakery, "verify", self._verify)

    def _bake(self, _: object, order: Any) -> Image:
        self.baked.append(f"{order.spec.name} on {order.base.id}")
        return _image(f"ami-{order.spec.name}", "candidate")

    def _verify(self, _: object, image: Image, *__: object) -> TestReport:
        self.proven.append(image.id)
        return TestReport(())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


def test_a_verified_image_of_the_same_fingerprint_is_reused(world: World, write: Write) -> None:
    world.known = [_image("ami-1", "verified")]
    (layer,) = bakery.bake(world.kitchen, write(SUITE))
    assert (layer.image.id, layer.reused, layer.seconds) == ("ami-1", True, 0)
    assert (world.baked, world.proven) == ([], [])


def test_a_new_fingerprint_is_baked_and_proven(world: World, write: Write) -> None:
    (layer,) = bakery.bake(world.kitchen, write(SUITE))
    assert not layer.reused
    assert world.baked == ["web on ami-base"]
    assert world.proven == ["ami-web"]
    assert world.kitchen.shelf.read_manifest("ami-web")["state"] == "verified"


def test_a_failed_image_is_never_reused(world: World, write: Write) -> None:
    world.known = [_image("ami-1", "failed")]
    (layer,) = bakery.bake(world.kitchen, write(SUITE))
    assert layer.image.id == "ami-web"


def test_force_bakes_the_top_layer_anew_and_none_below(world: World, write: Write) -> None:
    write(SUITE, name="below")
    world.known = [_image("ami-1", "verified")]
    below, top = bakery.bake(world.kitchen, write(SUITE, name="top", base="below.toml"), force=True)
    assert (below.reused, top.reused) == (True, False)
    assert world.baked == ["top on ami-1"]


def test_a_spec_without_tests_proves_nothing_and_says_so(world: World, write: Write) -> None:
    with pytest.raises(NotVerified, match="names no tests, so nothing proves ami-web") as caught:
        bakery.bake(world.kitchen, write())
    assert "[verify]" in caught.value.hint


# --- what a builder is told ---


def test_a_builder_is_told_its_host_key_and_its_limit() -> None:
    key = SshKey.generate()
    said = builder.user_data(key, 7200)
    assert said.startswith("#cloud-config\n")
    config = yaml.safe_load(said)
    assert config["ssh_keys"] == {"ed25519_private": key.private, "ed25519_public": key.public}
    (limit,) = config["bootcmd"]
    assert limit[:2] == ["sh", "-c"]
    assert "sleep 7200; poweroff" in limit[2]


class OneAnswer:
    def __init__(self, result: Result) -> None:
        self.result = result

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        return self.result

    def put(self, content: bytes, to: str) -> None:
        pytest.fail("nothing is to be put")


def _said(act: Callable[[Progress], None]) -> str:
    heard = io.StringIO()
    act(Progress(Console(file=heard, width=200)))
    return heard.getvalue()


def test_a_recoverable_error_of_cloud_init_is_a_warning() -> None:
    said = _said(
        lambda progress: builder.settle(OneAnswer(Result(2, "status: done\nerrors: [/etc/x]")), progress)
    )
    assert "recoverable error" in said
    assert "[/etc/x]" in said


def test_a_fatal_error_of_cloud_init_ends_the_bake() -> None:
    with pytest.raises(CloudInitFailed, match="why"):
        builder.settle(OneAnswer(Result(1, "", "why")), Progress(Console(file=io.StringIO())))


def test_a_list_of_packages_has_only_what_is_installed() -> None:
    said = "ii  bash 5.2\nrc  nano 8\nii  zlib1g 1:1.3\n"
    assert packages(OneAnswer(Result(0, said))) == {"bash": "5.2", "zlib1g": "1:1.3"}
    with pytest.raises(BakeError, match="could not be read"):
        packages(OneAnswer(Result(1)))


# --- progress ---


def test_phases_are_timed_and_a_failed_one_is_shown_and_not_counted() -> None:
    times = iter([0.0, 2.0, 10.0, 11.0, 11.0])
    heard = io.StringIO()
    progress = Progress(Console(file=heard, width=200), clock=lambda: next(times))
    with progress.phase("launch"):
        pass
    with pytest.raises(ValueError, match="why"), progress.phase("converge"):
        raise ValueError("why")
    assert [(one.phase, one.seconds) for one in progress.timings] == [("launch", 2.0)]
    assert "✓ launch  2.0 s" in heard.getvalue()
    assert "✗ converge  1.0 s" in heard.getvalue()


@pytest.mark.parametrize("text", ["command test [/etc/x] or [bold]", "[/]", "a [link=x]"])
def test_what_looks_like_markup_is_told_as_it_is(text: str) -> None:
    assert text in _said(lambda progress: progress.note(text))

    def phase(progress: Progress) -> None:
        with progress.phase(text):
            pass

    assert text in _said(phase)


# --- reports and shelves ---

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.image.test_ssh" name="test_login[ssh://a]" time="1.5">
  <properties><property name="boot_seconds" value="7.5"/></properties></testcase>
<testcase classname="tests.image.test_ssh" name="b" time="0"><properties>
  <property name="boot_seconds" value="9.25"/></properties><failure message="assert 1 == 2"/></testcase>
<testcase classname="tests.image.test_ssh" name="c"><error message="broken fixture"/></testcase>
<testcase classname="tests.image.test_ssh" name="d"><skipped message="no bucket"/></testcase>
</testsuite></testsuites>"""


def test_a_report_counts_an_error_as_a_failure_and_the_slowest_boot(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(JUNIT)
    report = read_junit(tmp_path / "report.xml")
    assert {outcome: report.count(outcome) for outcome in ("passed", "failed", "skipped")} == {
        "passed": 1, "failed": 2, "skipped": 1,
    }  # fmt: skip
    assert [case.name for case in report.failed] == ["test_ssh::b", "test_ssh::c"]
    assert report.failed[0].message == "assert 1 == 2"
    assert report.boot_seconds == 9.25
    kept = json.loads(report.write(tmp_path / "report.json").read_text())
    assert kept["cases"][0] == {
        "name": "test_ssh::test_login[ssh://a]",
        "outcome": "passed",
        "seconds": 1.5,
        "message": "",
    }


@pytest.mark.parametrize("content", [None, "", "<testsuites>"])
def test_a_suite_that_left_no_report_is_an_error_that_names_its_log(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "report.xml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BakeError, match="left no report") as caught:
        read_junit(path)
    assert str(tmp_path / "report.log") in caught.value.hint


def test_a_manifest_is_read_back_and_one_of_another_desk_is_empty(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_manifest("ami-1", {"state": "verified"})
    assert shelf.read_manifest("ami-1") == {"state": "verified"}
    assert shelf.read_manifest("ami-2") == {}


def test_a_users_shelf_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIBAKE_STATE", "/srv/state")
    assert Shelf.of_user().root == Path("/srv/state/images")
    monkeypatch.delenv("AMIBAKE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/state")
    assert Shelf.of_user().root == Path("/home/ann/state/amibake/images")


# --- the suite's command ---


@pytest.fixture
def fresh(tmp_path: Path) -> Trial:
    nodes = (Instance("i-1", "10.0.0.1"), Instance("i-2", "10.0.0.2"))
    return Trial(nodes, "admin", tmp_path / "key", SshKey.generate(), "a-bucket", tmp_path)


def test_the_suite_is_told_nodes_key_and_bucket(fresh: Trial, tmp_path: Path) -> None:
    argv = verification.suite_argv(fresh, [Path("/t/image")], tmp_path / "report.xml")
    assert "--hosts=node://admin@10.0.0.1,node://admin@10.0.0.2" in argv
    assert f"--ssh-identity-file={tmp_path / 'key'}" in argv
    told = verification.suite_environment(fresh)
    assert told == {"AMIBAKE_LAUNCH_KEY": f"{tmp_path / 'key'}.pub", "AMIBAKE_BUCKET": "a-bucket"}
    assert f"--junitxml={tmp_path / 'report.xml'}" in argv
    assert "/t/image" in argv


def test_ssh_asks_nobody_and_knows_no_host_of_the_users(fresh: Trial, tmp_path: Path) -> None:
    config = fresh.ssh_config.read_text()
    assert f"UserKnownHostsFile {tmp_path}/known_hosts" in config
    assert "IdentitiesOnly yes" in config


def test_a_nodes_inputs_are_readable_by_root_alone() -> None:
    (file,) = yaml.safe_load(verification.node_user_data({"BUCKET": "text:b"}))["write_files"]
    assert (file["permissions"], file["owner"]) == ("0600", "root:root")
    assert json.loads(file["content"]) == {"BUCKET": "text:b"}
