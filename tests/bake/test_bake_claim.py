from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from aws.desk import process_id
from aws.errors import OutOfPatience
from aws.ownership import Run, specification, tag_list
from aws.patience import Patience
from aws.session import Cloud
from bake import bakery, claim
from bake import image as images
from bake.bakery import bake
from bake.claim import claims, insist, verdict_of_another, wait_for_claim
from bake.errors import NothingToResume, NotVerified, Outrun
from bake.image import CANDIDATE, FAILED, FINGERPRINT, STATE, VERIFIED, Image
from bake.kitchen import Kitchen
from bake.progress import Progress
from bake.shelf import Shelf

ALIVE = f"{process_id()}-0001"
DEAD = f"{process_id().rpartition('-')[0]}-ffffff-0002"
ELSEWHERE = "desk-aaaaaa-1-bbbbbb-0003"
BASE = Image("ami-0base", "debian-13", "admin", "x86_64", "/dev/xvda", state=VERIFIED)
KNOWN = "ami-12c6146b"  # one of those that moto brings; to list them takes seconds
DIGEST = "f" * 64


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kitchen]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(claim, "SILENCE", Patience(0.01, 0.05))
    monkeypatch.setattr(images, "public", lambda *_: BASE)
    with mock_aws():
        ec2 = boto3.client("ec2", region_name="eu-central-1")
        cloud = Cloud(ec2, "eu-central-1", "1")
        progress = Progress(Console(file=io.StringIO()))
        yield Kitchen(cloud, Run(), Shelf(tmp_path), progress, patience=Patience(0.01, 0.05))


def a_builder(kitchen: Kitchen, run: str, hours_left: float = 3, fingerprint: str = DIGEST) -> str:
    ec2 = kitchen.cloud.ec2
    image = KNOWN
    tags = Run(run, datetime.now(UTC) + timedelta(hours=hours_left)).tags(**{FINGERPRINT: fingerprint})
    asked = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specification(tags, "instance")
    )
    return asked["Instances"][0]["InstanceId"]


def an_image(kitchen: Kitchen, state: str, run: str, fingerprint: str = DIGEST) -> str:
    """An image whose source has gone since."""
    source = a_builder(kitchen, run, fingerprint="none")
    ec2 = kitchen.cloud.ec2
    image = ec2.create_image(InstanceId=source, Name=f"web-{source}")["ImageId"]
    ec2.terminate_instances(InstanceIds=[source])
    tags = {images.NAME: "web", FINGERPRINT: fingerprint, STATE: state, "amibake:run": run}
    ec2.create_tags(Resources=[image], Tags=tag_list(tags))
    return image


def record_of(image: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends["123456789012"]["eu-central-1"].amis[image]


def test_the_first_launched_has_the_claim_and_the_smaller_id_decides_between_equals(kitchen: Kitchen) -> None:
    found = claims(kitchen.cloud, DIGEST)
    assert found == ()
    ids = {a_builder(kitchen, ALIVE), a_builder(kitchen, ALIVE)}
    ordered = claims(kitchen.cloud, DIGEST)
    assert {one.instance_id for one in ordered} == ids
    later = replace(ordered[0], launched=ordered[0].launched + timedelta(seconds=1), instance_id="i-0")
    same = replace(ordered[0], instance_id="i-0")
    assert sorted([ordered[0], later, same]) == [same, ordered[0], later]


def test_builders_of_dead_runs_and_forgotten_ones_of_other_desks_claim_nothing(kitchen: Kitchen) -> None:
    a_builder(kitchen, DEAD)
    a_builder(kitchen, ELSEWHERE, hours_left=-1)
    assert claims(kitchen.cloud, DIGEST) == ()
    other = a_builder(kitchen, ELSEWHERE)
    assert [one.instance_id for one in claims(kitchen.cloud, DIGEST)] == [other]


def test_of_two_builders_exactly_one_may_go_on(kitchen: Kitchen) -> None:
    pair = [a_builder(kitchen, ALIVE), a_builder(kitchen, ALIVE)]
    lost = []
    for one in pair:
        try:
            insist(kitchen.cloud, DIGEST, one)
        except Outrun:
            lost.append(one)
    assert len(lost) == 1


def test_an_image_that_came_meanwhile_outruns_every_builder(kitchen: Kitchen) -> None:
    mine = a_builder(kitchen, ALIVE)
    insist(kitchen.cloud, DIGEST, mine)
    image = an_image(kitchen, CANDIDATE, ALIVE)
    with pytest.raises(Outrun, match=image):
        insist(kitchen.cloud, DIGEST, mine)


def test_a_wait_for_a_builder_ends_when_it_does_and_not_before(kitchen: Kitchen) -> None:
    builder = a_builder(kitchen, ALIVE)
    (held,) = claims(kitchen.cloud, DIGEST)
    with pytest.raises(OutOfPatience):
        wait_for_claim(kitchen, DIGEST, held)
    kitchen.cloud.ec2.terminate_instances(InstanceIds=[builder])
    wait_for_claim(kitchen, DIGEST, held)


@pytest.mark.parametrize("run", [DEAD, ELSEWHERE], ids=["a dead run", "another desk"])
def test_an_image_that_nobody_looks_after_is_taken_over(kitchen: Kitchen, run: str) -> None:
    image = images.by_id(kitchen.cloud, an_image(kitchen, CANDIDATE, run))
    assert verdict_of_another(kitchen, image) is None
    assert images.by_id(kitchen.cloud, image.id).run == kitchen.run.id


def test_a_live_runs_image_is_left_to_it(kitchen: Kitchen) -> None:
    image = images.by_id(kitchen.cloud, an_image(kitchen, CANDIDATE, ALIVE))
    with pytest.raises(OutOfPatience):
        verdict_of_another(kitchen, image)
    images.set_state(kitchen.cloud, image, VERIFIED)
    verdict = verdict_of_another(kitchen, image)
    assert verdict is not None
    assert verdict.state == VERIFIED


def test_another_runs_bad_verdict_is_ours_too(kitchen: Kitchen) -> None:
    image = images.by_id(kitchen.cloud, an_image(kitchen, FAILED, ALIVE))
    with pytest.raises(NotVerified, match="failed its tests in the run that this one joined"):
        verdict_of_another(kitchen, image)


SPEC = '[verify]\ntests = ["test_x.py"]\n'


@pytest.fixture
def spec(write: Callable[..., Path], tmp_path: Path) -> Path:
    (tmp_path / "test_x.py").write_text("")
    return write(SPEC)


@pytest.fixture
def digest(spec: Path) -> str:
    from bake.fingerprint import fingerprint
    from bake.spec import load

    return fingerprint(load(spec), BASE.id).digest


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for what needs machines: a bake fails the test, a proof is noted."""
    proven: list[str] = []
    monkeypatch.setattr(bakery, "_proven", lambda _, __, image: proven.append(image.id))
    monkeypatch.setattr(bakery, "_baked", lambda *_: pytest.fail("a builder was launched"))
    return proven


def test_a_resume_without_anything_under_way_is_refused(
    kitchen: Kitchen, spec: Path, proofs: list[str]
) -> None:
    with pytest.raises(NothingToResume) as caught:
        bake(kitchen, spec, resume=True)
    assert "leave out --resume" in caught.value.hint


@pytest.mark.parametrize("resume", [True, False])
def test_a_candidate_of_a_dead_run_is_joined_and_proven(
    kitchen: Kitchen, spec: Path, digest: str, proofs: list[str], resume: bool
) -> None:
    image = an_image(kitchen, CANDIDATE, DEAD, digest)
    (layer,) = bake(kitchen, spec, resume=resume)
    assert proofs == [image]
    assert (layer.image.id, layer.image.state, layer.reused) == (image, VERIFIED, False)


def test_a_wait_that_runs_out_leaves_the_image_and_says_how_to_resume(
    kitchen: Kitchen, spec: Path, digest: str, proofs: list[str]
) -> None:
    image = an_image(kitchen, CANDIDATE, DEAD, digest)
    record_of(image).state = "pending"
    with pytest.raises(OutOfPatience) as caught:
        bake(kitchen, spec)
    assert "--resume" in caught.value.hint
    record_of(image).state = "available"
    bake(kitchen, spec, resume=True)
    assert proofs == [image]


def test_what_is_verified_is_reused_by_a_resume_too(
    kitchen: Kitchen, spec: Path, digest: str, proofs: list[str]
) -> None:
    image = an_image(kitchen, VERIFIED, DEAD, digest)
    (layer,) = bake(kitchen, spec, resume=True)
    assert (layer.image.id, layer.reused, proofs) == (image, True, [])


def test_who_is_outrun_joins_the_image_of_the_other(
    kitchen: Kitchen, spec: Path, digest: str, proofs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def outrun(*_: object) -> None:
        an_image(kitchen, VERIFIED, ALIVE, digest)
        raise Outrun("another was first")

    monkeypatch.setattr(bakery, "_baked", outrun)
    (layer,) = bake(kitchen, spec)
    assert layer.image.state == VERIFIED
    assert proofs == []


def test_a_failed_image_of_the_same_content_is_not_joined(
    kitchen: Kitchen, spec: Path, digest: str, proofs: list[str]
) -> None:
    an_image(kitchen, FAILED, DEAD, digest)
    with pytest.raises(NothingToResume):
        bake(kitchen, spec, resume=True)


def test_no_layer_is_baked_on_a_base_that_nothing_proves(
    kitchen: Kitchen, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("", name="below")
    top = write(name="top", base="below.toml")
    monkeypatch.setattr(bakery, "_baked", lambda *_: replace(BASE, id="ami-0below", state=CANDIDATE))
    with pytest.raises(NotVerified, match=r"below.toml: \[verify\] names no tests"):
        bake(kitchen, top)
