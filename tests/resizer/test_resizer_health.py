"""The deep check looks at each part, remembers what it saw for a while, and sees what was mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from moto_fixture import FakeClock
from resizer_node import Node

from resizer.errors import BusyError, StoreError
from resizer.health import REMEMBERED_SECONDS, Health
from resizer.job import Done, Job
from resizer.ladder import Tools

if TYPE_CHECKING:
    from pathlib import Path

WELL = {"render": "ok", "store": "ok", "disk": "ok"}


class Gone:
    """Renderers that are not there."""

    def render(self, job: Job, data: bytes) -> Done:
        raise BusyError("Nobody renders.", "See to them.", 1)


def refuse(_verb: str, _key: str) -> None:
    raise StoreError("The store refuses.", "See to it.")


def health(node: Node, clock: FakeClock) -> Health:
    tools = Tools(node.store, node.cache, node.renderer, node.uploads)
    return Health(node.config, tools, clock.monotonic)


def test_a_node_whose_parts_all_work_is_well(node: Node, clock: FakeClock) -> None:
    answer = health(node, clock).reply()
    assert (answer.status_line, json.loads(answer.body)) == ("200 OK", WELL)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("render", "Nobody renders."),
        ("store", "The store refuses."),
        ("disk", "The disk cache cannot be written: Not a directory."),
    ],
)
def test_the_part_that_does_not_work_names_itself(
    node: Node, clock: FakeClock, tmp_path: Path, part: str, said: str
) -> None:
    if part == "render":
        node.renderer = Gone()
    if part == "store":
        node.store.before = refuse
    if part == "disk":
        (tmp_path / "file").touch()
        node.cache.root = tmp_path / "file" / "cache"
    answer = health(node, clock).reply()
    assert (answer.status_line[:3], json.loads(answer.body)) == ("503", WELL | {part: said})


def test_what_was_seen_is_remembered_for_a_while_and_then_looked_at_anew(
    node: Node, clock: FakeClock
) -> None:
    node.store.before = refuse
    checked = health(node, clock)
    assert not checked.examine().well
    node.store.before = lambda _verb, _key: None
    clock.now = REMEMBERED_SECONDS - 0.1
    assert not checked.examine().well
    clock.now = REMEMBERED_SECONDS
    assert checked.examine().well
