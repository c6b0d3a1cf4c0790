"""A report drawn as one SVG: where images came from, when, how fast, and which. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from resizer.stats import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resizer.stats import Latency, Report

_WIDTH, _HEIGHT, _EDGE = 1200, 860, 48
_INK, _FAINT, _RULE, _PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
_COLOURS = {
    "apache": "#0b8457",
    "disk": "#6fbf73",
    "s3": "#2b7bba",
    "render": "#e8871e",
    "shared": "#f2c14e",
    "refused": "#9aa5b1",
    "failed": "#cf1124",
    "other": "#cbd2d9",
}
_WORDS = {
    "apache": "from file, by Apache",
    "disk": "from disk, by Python",
    "s3": "from S3",
    "render": "rendered",
    "shared": "shared with another",
    "refused": "refused (4xx)",
    "failed": "failed (5xx)",
    "other": "other",
}
_COLUMNS = 96
_DECADES = (0.1, 1, 10, 100, 1000, 10_000)  # milliseconds


def svg(report: Report) -> str:
    """Draw a report; the document stands alone, without script or font of its own."""
    parts = [
        *_head(report),
        *_shares(report, 190),
        *_timeline(report, 312, 190),
        *_latencies(report, 574, 250),
        *_favourites(report, 574),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
        f' height="{_HEIGHT}" font-family="Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>\n{body}\n</svg>\n'
    )


def _head(report: Report) -> Iterator[str]:
    yield _text(_EDGE, 56, "What the node served", 26, weight=600)
    yield _text(_EDGE, 80, f"{report.requests:,} requests, {_period(report)}", 14, _FAINT)
    figures = (
        (_percent(report.ratio("apache")), "of the images without Python"),
        (_percent(report.again), "had been asked for before"),
        (_percent(report.ratio("render")), "had to be rendered"),
        (
            amount(report.bytes_sent),
            f"sent, {_percent(_part(report.bytes_kept, report.bytes_sent))} of it from own disk",
        ),
    )
    for place, (figure, words) in enumerate(figures):
        left = _EDGE + place * 276
        yield _text(left, 136, figure, 34, weight=300)
        yield _text(left, 158, words, 13, _FAINT)


def _shares(report: Report, top: int) -> Iterator[str]:
    left, width = float(_EDGE), _WIDTH - 2 * _EDGE
    counts = {name: one.requests for name, one in report.latency.items()}
    for name in CLASSES:
        part = width * counts.get(name, 0) / report.requests
        if part:
            yield _box(left, top, max(part - 1, 0.5), 22, _COLOURS[name])
            left += part
    shown = [name for name in CLASSES if name in counts]
    for place, name in enumerate(shown):
        left, y = _EDGE + place % 4 * 276, top + 36 + place // 4 * 20
        yield _box(left, y, 11, 11, _COLOURS[name])
        yield _text(left + 18, y + 10, _WORDS[name], 12)
        yield _text(left + 210, y + 10, _percent(counts[name] / report.requests), 12, _FAINT, "end")


def _timeline(report: Report, top: int, height: int) -> Iterator[str]:
    yield _text(_EDGE, top - 14, "Requests over time", 14, weight=600)
    first, last = min(report.timeline), max(report.timeline)
    minutes = math.ceil((last - first + 1) / _COLUMNS)
    columns: list[dict[str, int]] = [{} for _ in range((last - first) // minutes + 1)]
    for minute, counts in report.timeline.items():
        column = columns[(minute - first) // minutes]
        for name, count in counts.items():
            column[name] = column.get(name, 0) + count
    highest = max(sum(column.values()) for column in columns)
    step = _tick(highest)
    for tick in range(0, highest + 1, step):
        y = top + height - height * tick / highest
        yield _line(_EDGE + 44, y, _WIDTH - _EDGE, y)
        yield _text(_EDGE + 36, y + 4, f"{tick:,}", 11, _FAINT, "end")
    yield from _bars(columns, highest, top, height)
    for share in (0.0, 0.5, 1.0):
        x = _EDGE + 44 + share * (_WIDTH - 2 * _EDGE - 44)
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        yield _text(x, top + height + 18, _clock(first + share * (last - first)), 11, _FAINT, anchor)


def _bars(columns: list[dict[str, int]], highest: int, top: int, height: int) -> Iterator[str]:
    width = (_WIDTH - 2 * _EDGE - 44) / len(columns)
    for place, column in enumerate(columns):
        y = float(top + height)
        for name in CLASSES:
            part = height * column.get(name, 0) / highest
            if part:
                y -= part
                yield _box(_EDGE + 44 + place * width, y, max(width - 1, 0.5), part, _COLOURS[name])


def _latencies(report: Report, top: int, height: int) -> Iterator[str]:
    yield _text(_EDGE, top - 14, "Time to answer: p50, p90, p99 and p99.9", 14, weight=600)
    for decade in _DECADES:
        x = _abscissa(decade)
        yield _line(x, top, x, top + height - 8)
        label = f"{decade:g} ms" if decade < 1000 else f"{decade / 1000:g} s"
        yield _text(x, top + height + 10, label, 11, _FAINT, "middle")
    shown = [name for name in CLASSES if name in report.latency]
    for place, name in enumerate(shown):
        y = top + (place + 0.5) * (height - 8) / len(shown)
        yield _text(_EDGE, y + 4, _WORDS[name], 12)
        yield from _whisker(report.latency[name], y, _COLOURS[name])


def _whisker(latency: Latency, y: float, colour: str) -> Iterator[str]:
    points = (latency.p50, latency.p90, latency.p99, latency.p999)
    places = [_abscissa(point) for point in points]
    yield (
        f'<line x1="{places[0]:.1f}" y1="{y:.1f}" x2="{places[3]:.1f}" y2="{y:.1f}" stroke="{colour}"'
        ' stroke-width="3" stroke-linecap="round" opacity="0.45"/>'
    )
    for place, radius in zip(places, (6, 4.5, 3.5, 2.5), strict=True):
        yield f'<circle cx="{place:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
    yield _text(places[3] + 12, y + 4, f"{duration(points[0])} / {duration(points[2])}", 11, _FAINT)


def _abscissa(milliseconds: float) -> float:
    low, high = math.log10(_DECADES[0]), math.log10(_DECADES[-1])
    share = (math.log10(max(milliseconds, 1e-9)) - low) / (high - low)
    return 200 + 330 * min(1.0, max(0.0, share))


def _favourites(report: Report, top: int) -> Iterator[str]:
    left, width = 700, _WIDTH - _EDGE - 700
    yield _text(left, top - 14, "Most wanted originals", 14, weight=600)
    for place, one in enumerate(report.top[:9]):
        y = top + 6 + place * 27
        name = one.name if len(one.name) <= 52 else f"…{one.name[-51:]}"
        yield _box(left, y + 9, width, 5, _RULE)
        yield _box(left, y + 9, max(2, width * one.count / report.top[0].count), 5, _COLOURS["apache"])
        yield _text(left, y + 3, name, 12)
        yield _text(left + width, y + 3, f"{one.count:,}  ·  {amount(one.size)}", 11, _FAINT, "end")


def amount(size: float) -> str:
    """Return bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def duration(milliseconds: float) -> str:
    """Return a time for people: 0.492 ms, 655 ms, 1.2 s."""
    return f"{milliseconds:.3g} ms" if milliseconds < 999.5 else f"{milliseconds / 1000:.3g} s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _part(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _tick(highest: int) -> int:
    step = int(10 ** max(0, math.floor(math.log10(highest))))
    return max(1, step // 2 if highest < 3 * step else step)


def _period(report: Report) -> str:
    return f"{_clock(min(report.timeline))} to {_clock(max(report.timeline))} UTC"


def _clock(minute: float) -> str:
    return datetime.fromtimestamp(60 * int(minute), UTC).strftime("%Y-%m-%d %H:%M")


def _text(
    x: float, y: float, text: str, size: int, colour: str = _INK, anchor: str = "start", weight: int = 400
) -> str:
    # XML has no way to write control characters at all.
    shown = escape("".join(each if each.isprintable() else "·" for each in text))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
        f' text-anchor="{anchor}">{shown}</text>'
    )


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_RULE}"/>'
