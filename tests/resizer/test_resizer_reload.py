"""Apache's graceful reload under load: nobody who is being served hears of it."""

from __future__ import annotations

import itertools
import signal
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from resizer_server import Answer, Site

from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.machines
RELOADS = 3
HIT = "/thumb/a.jpg"
_numbers = itertools.count(100)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="resizer-") as root, Site(Path(root)) as running:
        running.upload("a.jpg", photograph(900, 600))
        running.upload("large.jpg", photograph(4000, 3000))
        running.get(HIT)
        yield running


def reload(site: Site) -> None:
    """As `apache2ctl graceful` does, and wait until the next generation serves."""
    before = site.log("error.log").count("resuming normal operations")
    site.running["apache"].send_signal(signal.SIGUSR1)
    site.until(lambda: site.log("error.log").count("resuming normal operations") > before, "it has reloaded")


def cold() -> str:
    return f"/unsafe/w{next(_numbers)}/a.jpg"


@contextmanager
def asked(site: Site, path: Callable[[], str]) -> Iterator[Counter[tuple[int, str]]]:
    """Ask for one after the other during a block, each over a new connection, and count the answers."""
    seen: Counter[tuple[int, str]] = Counter()
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            answer = site.get(path())
            seen[answer.status, answer.headers.get("x-resizer", "")] += 1

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield seen
        finally:
            ending.set()
        asking.result()


def test_hits_go_on_as_if_nothing_had_happened(site: Site) -> None:
    with asked(site, lambda: HIT) as seen, asked(site, cold):
        for _ in range(RELOADS):
            reload(site)
    assert set(seen) == {(200, "apache")}
    assert seen[200, "apache"] > 100


def test_renderings_under_way_are_finished_by_those_who_began_them(site: Site) -> None:
    with ThreadPoolExecutor(3) as pool:
        begun = [pool.submit(site.get, f"/unsafe/w{width},f_avif/large.jpg") for width in (1500, 1600, 1700)]
        site.until(lambda: b"resizer_slots_busy 0.0" not in site.get("/metrics").body, "they are rendered")
        assert not any(each.done() for each in begun)
        reload(site)
        answers: list[Answer] = [each.result() for each in begun]
    assert [(each.status, each.headers["x-resizer"]) for each in answers] == [(200, "render")] * 3


def test_misses_are_served_before_and_after_by_other_processes(site: Site) -> None:
    before = daemons(site)
    with asked(site, cold) as first, asked(site, cold) as second:
        for round_ in range(1, RELOADS + 1):
            reload(site)
            site.until(
                lambda least=20 * round_: min(first.total(), second.total()) >= least, "more are served"
            )
    seen = first + second
    # mod_wsgi's limit: whom a process has taken on, but not yet led to Python when that ends, is told so.
    assert {status for status, _ in seen} <= {200, 500, 503}
    assert seen.total() - seen[200, "render"] <= 2 * RELOADS
    assert not before & daemons(site)


def daemons(site: Site) -> set[int]:
    """The processes in which Python runs."""
    parent = site.running["apache"].pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children if b"wsgi" in Path(f"/proc/{child}/cmdline").read_bytes()}
