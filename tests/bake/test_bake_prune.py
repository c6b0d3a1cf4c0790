from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aws.desk import Life
from bake.compare import compare
from bake.image import CANDIDATE, FAILED, VERIFIED, Image
from bake.prune import fates

BASE = Image("ami-b1", "base", "admin", "x86_64", "/dev/xvda", state=VERIFIED)


def image(name: str, number: int, **more: Any) -> Image:
    return replace(BASE, id=f"ami-{name}{number}", name=name, **more)


def going(*images: Image, keep: int = 1, **more: Any) -> list[str]:
    return [fate.image.id for fate in fates(images, more.pop("users", {}), keep, **more) if fate.goes]


def dead(_: str) -> Life:
    return Life.DEAD


def alive(_: str) -> Life:
    return Life.ALIVE


def test_the_newest_verified_of_each_name_stay_and_the_older_ones_go() -> None:
    images = [image("a", 1), image("b", 1), image("a", 2), image("a", 3)]
    assert going(*images, keep=2) == ["ami-a1"]
    assert going(*images, keep=1) == ["ami-a1", "ami-a2"]


def test_not_even_keep_0_takes_the_newest() -> None:
    assert going(image("a", 1), image("a", 2), keep=0) == ["ami-a1"]


def test_what_is_in_use_stays_even_when_it_failed() -> None:
    images = [image("a", 1), image("a", 2, state=FAILED), image("a", 3)]
    assert going(*images, users={"ami-a1": ["i-1"], "ami-a2": ["lt-1"]}) == []


def test_the_bases_of_what_stays_stay_all_the_way_down() -> None:
    images = [
        image("c", 1), image("b", 1, base="ami-c1"), image("a", 1, base="ami-b1"),
        image("c", 2), image("b", 2, base="ami-c2"),
    ]  # fmt: skip
    assert going(*images) == []
    assert going(*images, image("a", 2, base="ami-b2")) == ["ami-c1", "ami-b1", "ami-a1"]


def test_a_failed_one_goes_though_it_is_the_newest_and_does_not_count() -> None:
    images = [image("a", 1), image("a", 2, state=FAILED), image("a", 3, aws_state="failed")]
    assert going(*images) == ["ami-a2", "ami-a3"]


@pytest.mark.parametrize(("known", "aws_state", "goes"), [
    (dead, "available", True), (dead, "pending", False), (alive, "available", False),
])  # fmt: skip
def test_a_candidate_goes_once_its_run_is_dead_and_it_is_no_more_in_the_making(
    known: Any, aws_state: str, goes: bool
) -> None:
    candidate = image("a", 2, state=CANDIDATE, aws_state=aws_state)
    assert going(image("a", 1), candidate, alive=known) == (["ami-a2"] if goes else [])


def test_only_the_name_that_was_given_is_pruned() -> None:
    assert going(image("a", 1), image("a", 2), image("b", 1), image("b", 2), name="b") == ["ami-b1"]


def test_two_manifests_are_compared_by_packages_settings_and_inputs() -> None:
    old = {"packages": {"a": "1", "b": "1"}, "settings": {"gib": 8}, "inputs": {"step x": "1" * 64}}
    new = {"packages": {"b": "2", "c": "1"}, "settings": {"gib": 9}, "inputs": {"step x": "2" * 64}}
    found = compare(old, new)
    assert found.packages.document() == {
        "added": {"c": "1"}, "removed": {"a": "1"}, "changed": {"b": {"from": "1", "to": "2"}},
    }  # fmt: skip
    assert found.settings.document()["changed"] == {"gib": {"from": "8", "to": "9"}}
    assert found.inputs == ("step x changed: 111111111111 -> 222222222222",)


def test_an_image_compared_with_itself_shows_no_difference() -> None:
    story = {"packages": {"a": "1"}, "settings": {"gib": 8}, "inputs": {"x": "1"}}
    found = compare(story, story)
    assert (found.packages.lines(), found.settings.lines(), found.inputs) == ([], [], ())
