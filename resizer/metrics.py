"""What a node counts, for Prometheus: declared here, touched where it happens.

The processes of a node count into files of the directory named by PROMETHEUS_MULTIPROC_DIR, so that any of
them can tell the sum. Without it a process tells of itself alone. Apache's own answers are not among these:
its access log has them, see `stats.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTENT_TYPE = CONTENT_TYPE_LATEST
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_own = CollectorRegistry()
# From a small picture out of the page cache to a large animation.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def _counter(name: str, tells: str, labels: Iterable[str] = ()) -> Counter:
    return Counter(f"resizer_{name}", tells, labels, registry=_own)


def _gauge(name: str, tells: str) -> Gauge:
    # What a process holds now, summed over those that live.
    return Gauge(f"resizer_{name}", tells, registry=_own, multiprocess_mode="livesum")


def _last(name: str, tells: str) -> Gauge:
    # What is the same for the whole node, by whoever has looked last.
    return Gauge(f"resizer_{name}", tells, registry=_own, multiprocess_mode="mostrecent")


def _seconds(name: str, tells: str, labels: Iterable[str] = ()) -> Histogram:
    return Histogram(f"resizer_{name}_seconds", tells, labels, registry=_own, buckets=_BUCKETS)


ANSWERS = _counter("answers_total", "Images served by Python: disk, s3, render, shared", ["tier"])
ERRORS = _counter("errors_total", "Requests refused, by the code in their body", ["code"])
RENDERS = _counter("renders_total", "Results rendered, by their format and what from", ["format", "source"])
STAGES = _seconds("stage", "Where a miss spends its time: wait, fetch, render, keep", ["stage"])
MASTERS = _counter("masters_total", "Masters: made, used, or not worth it", ["outcome"])
BYTES_IN = _counter("original_bytes_total", "Bytes of originals and masters read")
BYTES_OUT = _counter("result_bytes_total", "Bytes of results rendered")
STORE_CALLS = _counter("store_calls_total", "Calls to the object store", ["operation", "outcome"])
STORE_SECONDS = _seconds("store_call", "Calls to the object store", ["operation"])
FLIGHT_WAITS = _counter("flight_waits_total", "Requests that waited for another: shared or late", ["outcome"])
CACHE_FAILURES = _counter("cache_failures_total", "Results the disk would not have", ["operation"])
EVICTIONS = _counter("evictions_total", "Results evicted from the disk")
EVICTED_BYTES = _counter("evicted_bytes_total", "Bytes evicted from the disk")
PURGES = _counter("purges_total", "Keys purged from the disk")
QUEUE = _gauge("queue_length", "Requests that wait for a place to render")
BUSY = _gauge("slots_busy", "Renderings under way")
SLOTS = _last("slots", "Places to render")
UPLOADS = _gauge("uploads_waiting", "Results on their way into the store")
CACHE_BYTES = _last("cache_bytes", "Bytes on the disk, when last counted")
CACHE_FILES = _last("cache_files", "Results on the disk, when last counted")


def text() -> bytes:
    """Return the metrics of all processes in Prometheus' text format; CONTENT_TYPE is its media type."""
    directory = os.environ.get(DIRECTORY)
    if not directory:
        return generate_latest(_own)
    forget_the_dead(Path(directory))
    everybody = CollectorRegistry()
    multiprocess.MultiProcessCollector(everybody, directory)  # type: ignore[no-untyped-call]
    return generate_latest(everybody)


def forget_the_dead(directory: Path) -> None:
    """Drop what ended processes still seem to hold: one that was killed cannot take itself off a gauge."""
    for process in {int(file.stem.rpartition("_")[2]) for file in directory.glob("gauge_live*_*.db")}:
        if not Path(f"/proc/{process}").exists():
            multiprocess.mark_process_dead(process, str(directory))  # type: ignore[no-untyped-call]
