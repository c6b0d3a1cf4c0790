"""An access log tells where images came from, how fast and how often, in a space that stays small."""

from __future__ import annotations

import gzip
import io
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resizer import plot
from resizer.accesslog import Entry, entries, entry
from resizer.errors import ToolError
from resizer.favourites import Favourites
from resizer.quantiles import Quantiles
from resizer.stats import Report, class_of, report

LOG = Path(__file__).parent / "golden" / "access.log"
QUOTED = 'b/façade "1".png'


@pytest.fixture
def found() -> Report:
    return report(entries(LOG))


def request(name: str, state: str = "apache", status: int = 200, micros: int = 1000) -> Entry:
    return Entry(29_000_000, f"/medium/{name}", status, 1000, micros, state)


def test_requests_and_lines_that_are_none_are_counted(found: Report) -> None:
    assert (found.requests, found.unreadable, found.served) == (13, 1, 8)
    assert found.by_status == {200: 7, 206: 1, 301: 1, 304: 1, 400: 1, 404: 1, 503: 1}


def test_hit_ratios_are_shares_of_the_images(found: Report) -> None:
    assert found.by_state == {"apache": 4, "disk": 1, "s3": 1, "render": 1, "shared": 1}
    assert found.ratio("apache") == 4 / 8
    ratios = found.document()["hit_ratio"]
    assert ratios == {"apache": 4 / 8, "node": 6 / 8, "without_rendering": 7 / 8}


def test_what_was_served_before_counts_whoever_signed_it(found: Report) -> None:
    assert found.distinct == 3
    assert found.again == 5 / 8


def test_latency_is_told_by_class(found: Report) -> None:
    assert found.latency["render"].p50 == pytest.approx(48, rel=1 / 64)
    assert found.latency["apache"].p99 == pytest.approx(0.4, rel=1 / 64)
    assert found.latency["failed"].p50 == pytest.approx(5000, rel=1 / 64)
    assert {name: one.requests for name, one in found.latency.items()} == {
        "apache": 4, "disk": 1, "s3": 1, "render": 1, "shared": 1, "refused": 2, "failed": 1, "other": 2,
    }  # fmt: skip


def test_the_most_wanted_originals_are_named_as_people_write_them(found: Report) -> None:
    assert [(one.name, one.count, one.size) for one in found.top] == [
        ("a.jpg", 5, 60_000),
        (QUOTED, 2, 18_000),
        ("c.gif", 1, 100),
    ]


def test_bytes_are_told_as_sent_kept_and_spared(found: Report) -> None:
    assert found.bytes_sent == 78_323
    assert found.bytes_kept == 29_100
    assert found.bytes_spared == 78_100 // 6


def test_requests_are_laid_out_by_minute(found: Report) -> None:
    assert [sum(minute.values()) for minute in found.timeline.values()] == [2, 6, 2, 3]
    assert list(found.timeline) == sorted(found.timeline)


def test_the_document_is_json(found: Report) -> None:
    again = json.loads(json.dumps(found.document()))
    assert again["served"] == 8
    assert again["top"][0]["name"] == "a.jpg"


def test_apaches_escapes_are_mended(found: Report) -> None:
    del found
    paths = [one.path for one in entries(LOG) if one]
    assert f"/{'A' * 43}/w300,f_webp/{QUOTED}" in paths
    assert "/thumb/\v\x00\\x\t" in paths


def test_a_log_of_text_beyond_ascii_is_read_too() -> None:
    line = {"time": "2026-11-22T23:59:58Z", "path": "/thumb/façade日.jpg", "status": 200, "bytes": 1, "us": 1}
    read = entry(json.dumps(line | {"state": "s3"}, ensure_ascii=False).encode())
    assert read is not None
    assert read.key == "façade日.jpg"


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"[]", b"{}", b"\xff\xfe", b'{"time":"yesterday","state":"-"}', b"[" * 100_000, b"\\x"],
)
def test_what_is_no_line_of_ours_is_none(line: bytes) -> None:
    assert entry(line) is None


@given(st.binary())
def test_no_bytes_are_an_error(line: bytes) -> None:
    assert entry(line) is None


@pytest.mark.parametrize(
    ("state", "status", "kind"),
    [
        ("s3", 200, "s3"),
        ("", 200, "other"),
        ("render", 503, "failed"),
        ("", 404, "refused"),
        ("", 301, "other"),
    ],
)
def test_every_request_has_a_class(state: str, status: int, kind: str) -> None:
    assert class_of(request("a", state, status)) == kind


def test_a_packed_log_and_a_pipe_are_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(LOG.read_bytes()))
    assert list(entries(packed)) == list(entries(LOG))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LOG.read_bytes())))
    assert list(entries(Path("-"))) == list(entries(LOG))


def test_a_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.gz").write_bytes(gzip.compress(LOG.read_bytes())[:-20])
    for name in ("absent.log", "torn.gz"):
        with pytest.raises(ToolError, match=rf"{name}: cannot be read") as caught:
            list(entries(tmp_path / name))
        assert caught.value.hint


def test_a_log_of_something_else_is_told_apart_from_an_idle_node() -> None:
    with pytest.raises(ToolError, match="None of 2 lines"):
        report([None, None])


@given(st.lists(st.integers(0, 10**10), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_percentiles_are_known_to_a_64th(values: list[int], share: float) -> None:
    quantiles = Quantiles()
    for value in values:
        quantiles.add(value)
    exact = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    assert exact * (1 - 1 / 64) <= quantiles.at(share) <= exact


def test_of_nothing_the_percentile_is_nothing() -> None:
    assert Quantiles().at(0.5) == 0


def test_favourites_are_exact_while_they_fit() -> None:
    favourites = Favourites(capacity=10)
    for name in "abracadabra":
        favourites.add(name, 2)
    best = favourites.top(2)
    assert [(one.name, one.count, one.size, one.missed) for one in best] == [("a", 5, 10, 0), ("b", 2, 4, 0)]


@given(st.lists(st.integers(0, 60)))
def test_favourites_that_do_not_fit_are_known_within_what_was_missed(names: list[int]) -> None:
    favourites = Favourites(capacity=4)
    for name in names:
        favourites.add(str(name), 1)
    kept = favourites.top(100)
    assert len(kept) < 8
    for one in kept:
        assert one.count <= names.count(int(one.name)) <= one.count + one.missed


def test_the_space_does_not_grow_with_the_log() -> None:
    few = report(request(f"{number % 100}.jpg") for number in range(100))
    many = report(request(f"{number % 100}.jpg") for number in range(20_000))
    assert many.again == 0.995
    assert few.again == 0
    assert len(many.timeline) == len(few.timeline) == 1


def test_the_plot_is_xml_that_names_what_it_shows(found: Report) -> None:
    drawn = ET.fromstring(plot.svg(found))  # noqa: S314 - our own
    words = {each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"What the node served", "50.0 %", "62.5 %", "78.3 kB", "a.jpg", QUOTED} <= words
    assert "13 requests, 2026-11-22 23:59 to 2026-11-23 00:02 UTC" in words


@given(st.text(), st.sampled_from(["apache", "s3", ""]), st.integers(1, 2000))
def test_any_log_can_be_drawn(name: str, state: str, number: int) -> None:
    log = [Entry(29_000_000 + n, f"/medium/{name}", 200, n, n * n * n, state) for n in range(number)]
    assert ET.fromstring(plot.svg(report(log))) is not None  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e9, "2 GB"), (3.21e15, "3.21e+03 TB")]
)
def test_sizes_are_for_people(size: float, words: str) -> None:
    assert plot.amount(size) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0.4921, "0.492 ms"), (655.36, "655 ms"), (999.6, "1 s"), (12_345.0, "12.3 s")],
)
def test_times_are_for_people(milliseconds: float, words: str) -> None:
    assert plot.duration(milliseconds) == words
