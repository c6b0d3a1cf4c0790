"""A real node that is asked for too much, by too many, or for what there is not; and purges on two nodes."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from cloud_fixture import invoke
from PIL import Image
from resizer_picture import opened
from serving_node import SIGNING_KEY, small_and_typed

from resizer.client import url
from resizer.photograph import photograph

if TYPE_CHECKING:
    from pathlib import Path

    from serving_node import Pair, ServingNode

pytestmark = pytest.mark.machines

HIT = "/medium/a.jpg"


@pytest.fixture(scope="module")
def node(pair: Pair) -> ServingNode:
    node = pair.node
    node.upload("a.jpg", photograph(900, 600))
    node.upload("note.jpg", b"not a photograph")
    node.upload("cut.jpg", photograph(600, 400)[:-3000])
    node.upload("under.png", black(8000, 6200))
    node.upload("over.png", black(8000, 6300))
    node.until_served(HIT)
    return node


def black(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that takes gigabits to decode."""
    held = io.BytesIO()
    Image.new("RGB", (width, height)).save(held, "png", compress_level=9)
    return held.getvalue()


def signed(options: str, key: str = "a.jpg") -> str:
    return url("", key, options=options, signing_key=SIGNING_KEY)


ASKED = {
    "a result": ("GET", HIT, {}, 200, "public, max-age=86400"),
    "a signed one": ("GET", signed("w77"), {}, 200, "public, max-age=31536000, immutable"),
    "its head": ("HEAD", HIT, {}, 200, "public, max-age=86400"),
    "a part of it": ("GET", HIT, {"Range": "bytes=3-9"}, 206, "public, max-age=86400"),
    "what is past its end": ("GET", HIT, {"Range": "bytes=9999999-"}, 416, "public, max-age=5"),
    "another spelling": ("GET", "/unsafe/fit,w40/a.jpg", {}, 301, "public, max-age=5"),
    "an unknown option": ("GET", "/unsafe/w40,x9/a.jpg", {}, 400, "public, max-age=5"),
    "no address": ("GET", "/nonsense", {}, 400, "public, max-age=5"),
    "a forged one": ("GET", f"/{'A' * 43}/w40/a.jpg", {}, 403, "public, max-age=5"),
    "what is missing": ("GET", "/medium/nobody.jpg", {}, 404, "public, max-age=5"),
    "a strange method": ("DELETE", HIT, {}, 405, "public, max-age=5"),
    "too many pixels": ("GET", "/medium/over.png", {}, 413, "public, max-age=5"),
    "a result too large": ("GET", "/unsafe/w4096,h4096,dpr2,fill/a.jpg", {}, 400, "public, max-age=5"),
    "no image": ("GET", "/medium/note.jpg", {}, 415, "public, max-age=5"),
    "half an image": ("GET", "/medium/cut.jpg", {}, 422, "public, max-age=5"),
    "the node's own figures": ("GET", "/metrics", {}, 403, "public, max-age=5"),
}


@pytest.mark.parametrize("what", ASKED)
def test_each_request_has_its_status(node: ServingNode, what: str) -> None:
    method, path, headers, status, kept = ASKED[what]
    answer = node.get(path, method, **headers)
    assert (answer.status, answer.headers.get("cache-control")) == (status, kept)
    assert answer.headers["x-request-id"]
    if status >= 400:
        assert answer.body.count(b"\n") == 1


def test_a_copy_at_hand_is_still_good_for_hits_and_misses(node: ServingNode) -> None:
    hit = node.get(HIT)
    for path in (HIT, "/unsafe/w300,h300,f_auto/a.jpg"):
        tag = node.get(path).headers["etag"]
        again = node.get(path, If_None_Match=tag)
        # Apache calls the tag of an original younger than a second weak.
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"].removeprefix("W/") == tag.removeprefix("W/")
    assert node.get(HIT, If_Modified_Since=hit.headers["last-modified"]).status == 304


def test_24_at_once_for_one_cold_result_cost_one_rendering(node: ServingNode) -> None:
    before = node.count("renders_total")
    answers = node.crowd(["/unsafe/w222,h111,fill/a.jpg"] * 24)
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert node.count("renders_total") - before == 1


def test_more_misses_than_can_be_made_are_turned_away_in_order(node: ServingNode) -> None:
    before = node.processes()
    with node.hits(HIT) as hits:
        answers = node.crowd([f"/unsafe/w{100 + number},q77/a.jpg" for number in range(200)])
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    assert small_and_typed(answers)
    assert {(hit.status, hit.headers["x-resizer"]) for hit in hits} == {(200, "apache")}
    assert node.processes() == before
    assert node.count("queue_length") == node.count("slots_busy") == 0


def test_an_image_just_below_the_limits_harms_nobody(node: ServingNode) -> None:
    before = node.processes()
    assert opened(node.get("/unsafe/w2000,h2000,fill,blur50/under.png").body).size == (2000, 2000)
    assert opened(node.get("/medium/under.png").body).size == (300, 233)
    assert node.processes() == before


@pytest.mark.parametrize("unit", ["resizer-render", "apache2", "resizer-keeper"])
def test_memory_is_bounded_by_the_unit_and_by_the_kernel_where_it_can(node: ServingNode, unit: str) -> None:
    stated = int(node.run(f"systemctl show --property=MemoryMax --value {unit}"))
    total = int(node.run("awk '/MemTotal/ {print $2 * 1024}' /proc/meminfo"))
    assert stated < total
    group = f"/sys/fs/cgroup/system.slice/{unit}.service/memory.max"
    enforced = node.run(f"cat {group} 2>/dev/null || true")
    assert enforced in {"", str(stated)}
    controllers = node.run("cat /sys/fs/cgroup/cgroup.controllers").split()
    assert bool(enforced) == ("memory" in controllers)


def test_a_renderer_may_have_two_gibibytes_whatever_the_unit_says(node: ServingNode) -> None:
    limits = node.run(
        "for each in $(pgrep -P $(systemctl show --property=MainPID --value resizer-render));"
        " do grep 'Max address space' /proc/$each/limits; done"
    )
    assert [line.split()[3] for line in limits.splitlines()] == [str(2 << 30)] * 2


def test_a_changed_original_and_a_purge_are_seen_by_all_nodes(
    pair: Pair, node: ServingNode, env: dict[str, str], tmp_path: Path
) -> None:
    pair.give_role()
    nodes = (node, pair.late)
    for key in ("changed.jpg", "purged.jpg"):
        node.upload(key, photograph(640, 480))
        for each in nodes:
            each.until(
                lambda each=each, key=key: each.get(f"/medium/{key}").headers.get("x-resizer") == "apache",
                "there is a hit",
            )
    (tmp_path / "changed.jpg").write_bytes(photograph(480, 640))
    asked = (["resizer.put", str(tmp_path / "changed.jpg")], ["resizer.purge", "purged.jpg"])
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda words: invoke(*words, f"--bucket={node.bucket}", env=env), asked):
            assert done.returncode == 0, done.stderr
    for each in nodes:
        each.until(lambda each=each: _size(each, "changed.jpg") == (225, 300), "the changed one is served")
        each.until(lambda each=each: _files(each, "purged.jpg") == "", "the purged one is gone")
        assert _size(each, "purged.jpg") == (300, 225)


def _size(node: ServingNode, key: str) -> Any:
    return opened(node.get(f"/medium/{key}").body).size


def _files(node: ServingNode, key: str) -> str:
    from resizer.place import stem

    folder, start = stem(key)
    return node.run(f"ls /var/cache/resizer/{folder} 2>/dev/null | grep ^{start} || true")
