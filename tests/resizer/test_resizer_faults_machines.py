"""A real node whose surroundings fail: store, keys, disk, processes. Hits go on, and it mends itself."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from resizer_picture import opened
from serving_node import UNITS, small_and_typed

from resizer.photograph import photograph

if TYPE_CHECKING:
    from resizer_server import Answer
    from serving_node import Pair, ServingNode

pytestmark = pytest.mark.machines

HIT = "/medium/a.jpg"
REFUSED, SILENT = "reject with tcp reset", "drop"
CACHE = "/var/cache/resizer"
AWS_CONFIG = "/var/lib/resizer/.aws/config"
AWAY = "/var/lib/resizer/away"
# While it is away this takes as long to say nothing as a metadata service that is not there.
KEYS = f"""#!/bin/sh
test ! -e {AWAY} || {{ sleep 2; exit 1; }}
echo '{{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T",'
date -u -d '+3 seconds' '+"Expiration": "%Y-%m-%dT%H:%M:%SZ"}}'
"""
_numbers = itertools.count()
# Every image below the cache's folder, decoded to its last row.
DECODE = f"""
/opt/resizer/venv/bin/python - <<'END'
from pathlib import Path
from PIL import Image
names = [path for path in Path("{CACHE}").glob("??/??/*") if not path.name.startswith(".new-")]
for path in names:
    Image.open(path).load()
print(len(names))
END
"""


@pytest.fixture(scope="module")
def node(pair: Pair) -> ServingNode:
    return pair.node


@pytest.fixture(scope="module", autouse=True)
def original(pair: Pair) -> None:
    pair.node.upload("a.jpg", photograph(900, 600))
    pair.node.upload("large.jpg", photograph(4000, 3000))


@pytest.fixture(autouse=True)
def mended(node: ServingNode) -> Iterator[None]:
    """Each test begins with a node that serves hits and misses, and has to leave one."""
    node.until_served(HIT)
    node.until(lambda: node.get(HIT).headers["x-resizer"] == "apache", "there is a hit")
    yield
    (path,) = cold(1)
    node.until_served(path)


def cold(count: int) -> list[str]:
    """Results that nobody has asked for."""
    return [f"/unsafe/w{100 + number % 800},q{60 + number // 800}/a.jpg" for number in _next(count)]


def slow(count: int) -> list[str]:
    """Results that keep a renderer busy for a second or more."""
    return [f"/unsafe/w{2000 + number},f_avif/large.jpg" for number in _next(count)]


def _next(count: int) -> list[int]:
    return [next(_numbers) for _ in range(count)]


def are_hits(answers: list[Answer]) -> bool:
    seen = {(answer.status, answer.headers["x-resizer"]) for answer in answers}
    return len(answers) > 20 and seen == {(200, "apache")}


@pytest.mark.parametrize("fate", [REFUSED, SILENT])
def test_a_store_that_is_away_costs_misses_a_moment_and_hits_nothing(node: ServingNode, fate: str) -> None:
    before = node.processes()
    with node.hits(HIT) as hits:
        with node.without_store(fate):
            first = node.crowd(cold(40))
            then = node.crowd(cold(40))
        node.until_served(cold(1)[0])
    assert are_hits(hits)
    assert (504 in {answer.status for answer in first}) == (fate == SILENT)
    assert {answer.status for answer in first} <= {503, 504}
    assert {answer.status for answer in then} == {503}
    assert small_and_typed(first + then)
    assert node.processes() == before


def test_keys_that_come_late_are_taken_up_when_they_come(pair: Pair) -> None:
    late = pair.late
    assert {answer.status for answer in late.crowd(cold(40))} == {503}
    with late.without_metadata():
        late.run("systemctl restart apache2")
        late.until(lambda: late.get("/health").status == 200, "the node is healthy")
        refused = late.crowd(cold(40))
    assert {answer.status for answer in refused} == {503}
    assert small_and_typed(refused)
    before = late.processes()
    pair.give_role()
    late.until_served(cold(1)[0])
    with late.without_metadata():
        assert {answer.status for answer in late.crowd(cold(20))} == {200}
    assert late.processes() == before


@pytest.fixture
def keys_of_three_seconds(node: ServingNode) -> Iterator[None]:
    """Keys that expire soon: those of a role are taken by botocore for longer lived than they are."""
    node.shell.put(KEYS.encode(), "/home/admin/keys")
    node.run(
        f"install -m 755 /home/admin/keys /var/lib/resizer/keys && cp {AWS_CONFIG} /root/config"
        f" && echo credential_process = /var/lib/resizer/keys >> {AWS_CONFIG} && systemctl restart apache2"
    )
    node.until_served(cold(1)[0])
    yield
    node.run(f"cp /root/config {AWS_CONFIG} && rm -f {AWAY} && systemctl restart apache2")


def test_keys_that_expire_are_renewed_as_soon_as_they_can_be(
    node: ServingNode, keys_of_three_seconds: None
) -> None:
    before, end = node.processes(), time.monotonic() + 6
    while time.monotonic() < end:
        assert node.get(cold(1)[0]).status == 200
    node.run(f"touch {AWAY}")
    time.sleep(5)  # what they are good for, and the second for which they are not looked at again
    refused = node.crowd(cold(40))
    assert {answer.status for answer in refused} == {503}
    assert small_and_typed(refused)
    node.run(f"rm {AWAY}")
    node.until_served(cold(1)[0])
    assert node.processes() == before


@contextmanager
def small_disk(node: ServingNode) -> Iterator[None]:
    """The cache on a disk of its own, of 4 MiB, for a block. The keeper is told to stay away from it."""
    node.run(
        "systemctl stop resizer-keeper"
        f" && mount -t tmpfs -o size=4m,mode=0755,uid=resizer,gid=resizer none {CACHE}"
    )
    try:
        node.until_served(HIT)
        yield
    finally:
        node.run(f"umount -l {CACHE}; systemctl start resizer-keeper")


@pytest.mark.parametrize(
    ("fill", "empty"),
    [
        (f"dd if=/dev/zero of={CACHE}/ballast bs=4k 2>/dev/null || true", f"rm {CACHE}/ballast"),
        (f"mount -o remount,ro {CACHE}", f"mount -o remount,rw {CACHE}"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_costs_a_rendering_each(node: ServingNode, fill: str, empty: str) -> None:
    said = "grep -c 'fails to write' /var/log/apache2/error.log || true"
    with small_disk(node):
        logged, failed = int(node.run(said)), node.count("cache_failures_total")
        node.run(fill)
        with node.hits(HIT) as hits:
            wanted = cold(10)
            answers = [node.get(path) for path in wanted + wanted]
        assert are_hits(hits)
        assert {answer.status for answer in answers} == {200}
        assert not {answer.headers["x-resizer"] for answer in answers} & {"apache", "disk"}
        assert node.count("cache_failures_total") - failed >= len(answers)
        assert int(node.run(said)) - logged == 1
        node.run("systemctl start resizer-keeper && systemctl stop resizer-keeper")
        assert node.run("systemctl show --property=Result --value resizer-keeper") == "success"
        node.run(empty)
        (path,) = cold(1)
        node.until(lambda: node.get(path).headers.get("x-resizer") == "apache", "results are kept again")


def renderers(node: ServingNode) -> list[str]:
    return node.run("pgrep -P $(systemctl show --property=MainPID --value resizer-render)").split()


def test_a_renderer_that_is_killed_costs_no_request(node: ServingNode) -> None:
    before = renderers(node)
    with ThreadPoolExecutor(3) as pool, node.hits(HIT) as hits:
        pending = [pool.submit(node.get, path) for path in slow(2)]
        node.until(lambda: node.count("slots_busy") == 2, "both renderers work")
        node.run(f"kill -9 {before[0]}")
        assert [each.result().status for each in pending] == [200, 200]
    assert are_hits(hits)
    assert before[0] not in renderers(node)
    assert len(renderers(node)) == len(before)


def test_an_image_that_ends_whoever_decodes_it_is_refused(node: ServingNode) -> None:
    before = node.processes()
    with ThreadPoolExecutor(2) as pool:
        pending = pool.submit(node.get, slow(1)[0])
        for _ in range(2):
            node.until(lambda: node.count("slots_busy") == 1, "a renderer works")
            node.run(f"kill -SEGV {' '.join(renderers(node))}")
        refused = pending.result()
    assert (refused.status, refused.body.split()[0]) == (422, b"undecodable")
    assert node.get(cold(1)[0]).status == 200
    assert node.processes() == before


def test_renderers_that_are_killed_over_and_over_come_back(node: ServingNode) -> None:
    with node.hits(HIT) as hits:
        for _ in range(6):  # systemd gives up after five in ten seconds, unless it is told not to
            paths = cold(6)
            with ThreadPoolExecutor(1) as pool:
                pending = pool.submit(node.crowd, [*slow(2), *paths])
                node.run("systemctl kill --signal=KILL resizer-render")
                answers = pending.result()
            assert {answer.status for answer in answers} <= {200, 503}
            assert small_and_typed(answers)
            node.until_served(cold(1)[0])
    assert are_hits(hits)


def test_killed_in_the_midst_of_writing_a_node_leaves_no_torn_file(node: ServingNode) -> None:
    answers = []
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            made = node.count("renders_total")
            pending = pool.submit(node.survivors, cold(60))
            node.until(lambda made=made: node.count("renders_total") > made, "results are being made")
            node.run("systemctl kill --signal=KILL " + " ".join(UNITS))
            answers += pending.result()
        node.until_served(cold(1)[0])
    images = [answer for answer in answers if answer.status == 200]
    for image in images:
        opened(image.body).load()
    assert int(node.run(DECODE)) > len(images)
    node.until(
        lambda: node.run(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * 3, "all are back"
    )
