"""What a node tells of itself: whether it is well, and what it has done, each to the very count."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from resizer_server import PYTHON, Answer, Site
from resizer_store import BUCKET, Endpoint, endpoint

from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.machines
PHOTO = photograph(900, 600)
CACHE_BYTES = 200_000
GAUGES = {"slots", "slots_busy", "queue_length", "uploads_waiting", "cache_bytes", "cache_files"}


@dataclass(frozen=True)
class Node:
    site: Site
    store: Endpoint


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    settings = {
        "bucket": f'"{BUCKET}"',
        "cache_max_bytes": str(CACHE_BYTES),
        "cache_high_percent": "99",
        "cache_low_percent": "50",
    }
    with endpoint() as store, tempfile.TemporaryDirectory(prefix="resizer-") as root:
        store.upload("hit.jpg", PHOTO)
        with Site(Path(root), settings, environment=store.environment) as site:
            yield Node(site, store)


# --- /health ---


@contextmanager
def no_renderers(node: Node) -> Iterator[None]:
    node.site.stop("render", signal.SIGKILL)
    try:
        yield
    finally:
        node.site.start_renderers()


@contextmanager
def no_store(node: Node) -> Iterator[None]:
    node.store.end()
    try:
        yield
    finally:
        node.store.begin()


@contextmanager
def disk(node: Node, spoil: str) -> Iterator[None]:
    """The cache on a small disk of its own, on which something has been done."""
    cache = node.site.root / "cache"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "none", str(cache)], check=True)
    try:
        subprocess.run(["sh", "-c", spoil.format(cache)], check=True, stderr=subprocess.DEVNULL)
        yield
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


def full_disk(node: Node) -> object:
    return disk(node, "dd if=/dev/zero of={}/ballast bs=4k || true")


def disk_that_is_only_read(node: Node) -> object:
    return disk(node, "mount -o remount,ro {}")


def unwell(node: Node) -> dict[str, str]:
    parts: dict[str, str] = json.loads(node.site.get("/health/deep").body)
    return {name: said for name, said in parts.items() if said != "ok"}


@pytest.mark.parametrize(
    ("fault", "part", "said"),
    [
        (no_renderers, "render", "The render service does not answer."),
        (no_store, "store", "The object store failed (EndpointConnectionError)."),
        (full_disk, "disk", "The disk cache cannot be written: No space left on device."),
        (disk_that_is_only_read, "disk", "The disk cache cannot be written: Read-only file system."),
    ],
)
def test_what_is_not_well_names_itself_and_what_was_mended_is_well_again(
    node: Node, fault: Callable[[Node], object], part: str, said: str
) -> None:
    with fault(node):  # type: ignore[attr-defined]
        node.site.until(lambda: unwell(node) == {part: said}, f"{part} alone is not well")
        assert node.site.get("/health/deep").status == 503
        assert node.site.get("/health").status == 200


def test_with_nothing_amiss_a_node_is_well_by_itself(node: Node) -> None:
    node.site.until(lambda: node.site.get("/health/deep").status == 200, "all is well")
    assert unwell(node) == {}


# --- /metrics ---


def name_of(sample: Any) -> str:
    short = sample.name.removeprefix("resizer_").removesuffix("_total")
    return "/".join([short, *sample.labels.values()])


def told(site: Site) -> dict[str, float]:
    """All that the node tells, by name and labels."""
    return {
        "/".join(
            [each.name.removeprefix("resizer_").removesuffix("_total"), *each.labels.values()]
        ): each.value
        for family in text_string_to_metric_families(site.get("/metrics").body.decode())
        for each in family.samples
    }


def counts(site: Site) -> dict[str, float]:
    """What counts up; of seconds, how many times they were taken."""
    return {
        name: value
        for name, value in told(site).items()
        if name not in GAUGES and "_bucket/" not in name and "_seconds_sum/" not in name
    }


@contextmanager
def counted(site: Site) -> Iterator[Counter[str]]:
    """What has moved during a block, once nothing more is to be put into the store."""
    moved: Counter[str] = Counter()
    before = counts(site)
    yield moved
    site.until(lambda: told(site)["uploads_waiting"] == 0, "all is stored")
    for name, value in counts(site).items():
        if value != before.get(name, 0):
            moved[name] = round(value - before.get(name, 0))


def stages(**times: int) -> dict[str, int]:
    return {f"stage_seconds_count/{stage}": count for stage, count in times.items()}


def calls(operation: str, **outcomes: int) -> dict[str, int]:
    each = {f"store_calls/{operation}/{outcome}": count for outcome, count in outcomes.items()}
    return {**each, f"store_call_seconds_count/{operation}": sum(outcomes.values())}


def rendered(answer: Answer, original: bytes) -> dict[str, int]:
    """One rendering: of result, master and original the store has the last, and is given the first."""
    return {
        "renders/jpeg/original": 1,
        "masters/not worth it": 1,
        "original_bytes": len(original),
        "result_bytes": len(answer.body),
        **calls("get", missing=2, done=1),
        **calls("put", done=1),
        **stages(wait=1, fetch=2, render=1, keep=1),
    }


def test_a_rendering_a_hit_on_the_disk_and_one_in_the_store_count_as_what_they_are(node: Node) -> None:
    node.store.upload("a.jpg", PHOTO)
    site, path = node.site, "/thumb/a.jpg"
    before = told(site)
    with counted(site) as moved:
        first = site.get(path)
    assert moved == {"answers/render": 1, **rendered(first, PHOTO)}
    spent = {
        name: value - before.get(name, 0)
        for name, value in told(site).items()
        if name.startswith("stage_seconds_sum")
    }
    assert len(spent) == 4
    assert min(spent.values()) > 0
    with counted(site) as moved:
        assert site.get(path).headers["x-resizer"] == "apache"
    assert moved == {}
    for file in site.files():
        file.unlink()
    with counted(site) as moved:
        assert site.get(path).headers["x-resizer"] == "s3"
    assert moved == {"answers/s3": 1, **calls("get", done=1), **stages(keep=1)}


def test_a_hit_that_python_finds_on_the_disk_counts_as_that(node: Node) -> None:
    node.store.upload("auto.jpg", PHOTO)
    path = "/unsafe/w50,f_auto/auto.jpg"
    with counted(node.site) as moved:
        first = node.site.get(path)
    assert moved == {"answers/render": 1, **rendered(first, PHOTO)}
    with counted(node.site) as moved:
        assert node.site.get(path).headers["x-resizer"] == "disk"
    assert moved == {"answers/disk": 1}


def test_of_24_at_once_each_counts_once_and_the_rendering_once(node: Node) -> None:
    original = photograph(2400, 1600)
    node.store.upload("crowd.jpg", original)
    together = threading.Barrier(24)

    def ask(_: int) -> Answer:
        together.wait()
        return node.site.get("/unsafe/w2000,f_webp/crowd.jpg")

    with counted(node.site) as moved, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(ask, range(24)))
    found = Counter(answer.headers["x-resizer"] for answer in answers)
    assert {name: moved[f"answers/{name}"] for name in found if name != "apache"} == {
        name: count for name, count in found.items() if name != "apache"
    }
    assert found["render"] == moved["renders/webp/original"] == moved["stage_seconds_count/render"] == 1
    assert found["shared"] == moved["flight_waits/shared"] > 0
    assert (moved["original_bytes"], moved["result_bytes"]) == (len(original), len(answers[0].body))


def test_refusals_count_by_their_codes_and_what_is_missing_is_not_asked_for_again(node: Node) -> None:
    with counted(node.site) as moved:
        assert node.site.get("/thumb/absent.jpg").status == 404
    assert moved == {"errors/missing": 1, **calls("get", missing=3), **stages(fetch=2)}
    with counted(node.site) as moved:
        assert node.site.get("/thumb/absent.jpg").status == 404
        assert node.site.get("/unsafe/w0/a.jpg").status == 400
    assert moved == {"errors/missing": 1, "errors/bad_option": 1}


def test_who_is_turned_away_counts_as_busy_and_not_as_rendered(node: Node) -> None:
    node.store.upload("busy.jpg", PHOTO)
    with no_renderers(node), counted(node.site) as moved:
        assert node.site.get("/thumb/busy.jpg").status == 503
    assert moved == {
        "errors/busy": 1,
        "original_bytes": len(PHOTO),
        **calls("get", missing=2, done=1),
        **stages(wait=1, fetch=2),
    }


@contextmanager
def kept(site: Site) -> Iterator[None]:
    """The keeper for a block; it walks the cache as soon as it begins."""
    site.start("keeper", [PYTHON, "-m", "resizer.keeper"])
    try:
        yield
    finally:
        site.stop("keeper")


def test_evictions_count_the_files_and_the_bytes_that_are_gone(node: Node) -> None:
    site, note = node.site, node.site.root / "cache" / ".purged"
    with kept(site):
        site.until(note.exists, "the keeper has begun")
    for width in range(500, 512):
        node.store.upload(f"{width}.jpg", PHOTO)
        assert site.get(f"/unsafe/w{width}/{width}.jpg").status == 200
    before = {file: file.stat().st_blocks * 512 for file in site.files()}
    assert sum(before.values()) > CACHE_BYTES
    with counted(site) as moved, kept(site):
        site.until(lambda: counts(site).get("evictions", 0) > 0, "the keeper has walked")
    gone = [size for file, size in before.items() if not file.exists()]
    assert gone
    assert (moved["evictions"], moved["evicted_bytes"]) == (len(gone), sum(gone))
    assert sum(before.values()) - sum(gone) <= CACHE_BYTES // 2
