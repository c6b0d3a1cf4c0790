"""What the resizer's tasks show: a document for programs, itself for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from resizer.plot import amount, duration

if TYPE_CHECKING:
    from resizer.stats import Report
    from resizer.warm import Warmed


@dataclass(frozen=True)
class Linked:
    """URLs of results."""

    urls: tuple[str, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"urls": list(self.urls)}

    def __rich__(self) -> str:
        """As people read it, and as programs may: a line each."""
        return "\n".join(escape(one) for one in self.urls)


@dataclass(frozen=True)
class Served:
    """A development server that has ended."""

    base: str
    tried: tuple[str, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"base": self.base, "urls": list(self.tried)}

    def __rich__(self) -> str:
        """As people read it."""
        return f"{self.base} has ended; what was made for it is removed"


@dataclass(frozen=True)
class Stored:
    """Originals that were put, or keys that were purged, in a bucket."""

    verb: str
    bucket: str
    keys: tuple[str, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {self.verb: list(self.keys), "bucket": self.bucket}

    def __rich__(self) -> str:
        """As people read it."""
        return "\n".join(escape(f"{self.verb} {key}") for key in self.keys)


@dataclass(frozen=True)
class Heated:
    """What warming did; degraded if some results could not be made."""

    found: Warmed

    @property
    def degraded(self) -> bool:
        """Tell whether some failed."""
        return self.found.failed > 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self.found), "done": self.found.done}

    def __rich__(self) -> str:
        """As people read it."""
        found = self.found
        parts = [f"{count:,} {state}" for state, count in found.by_state.items()]
        parts += [f"{found.skipped:,} by the journal"] if found.skipped else []
        lines = [f"{found.done:,} results are there: {', '.join(parts) or 'none'}"]
        if found.failed:
            lines += [f"{found.failed:,} failed:", *[f"  {one}" for one in found.failures]]
            lines += ["  …"] if found.failed > len(found.failures) else []
        return "\n".join(map(escape, lines))


@dataclass(frozen=True)
class Told:
    """What access logs told."""

    report: Report
    plot: str = ""
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**self.report.document(), **({"plot": self.plot} if self.plot else {})}

    def __rich__(self) -> Group:
        """As people read it."""
        parts: list[Any] = [self._summary(), "", self._latency(), "", self._top()]
        return Group(*parts, *(["", escape(f"drawn in {self.plot}")] if self.plot else []))

    def _summary(self) -> Table:
        one, table = self.report, Table(box=None, show_header=False)
        node = one.ratio("apache", "disk", "shared")
        rows = (
            ("requests", f"{one.requests:,}"),
            ("images", f"{one.served:,} of {one.distinct:,} different results"),
            ("hit ratio", f"{one.ratio('apache'):.2%} by Apache, {node:.2%} by the node"),
            ("served before", f"{one.again:.2%}"),
            ("rendered", f"{one.ratio('render'):.2%}"),
            ("sent", f"{amount(one.bytes_sent)}, {amount(one.bytes_kept)} of it from the node's disk"),
            ("spared by 304", amount(one.bytes_spared)),
            ("statuses", ", ".join(f"{status}: {count:,}" for status, count in one.by_status.items())),
        )
        for name, value in rows:
            table.add_row(name, value)
        if one.unreadable:
            table.add_row("no log lines", f"{one.unreadable:,}")
        return table

    def _latency(self) -> Table:
        table = Table("time to answer", box=None)
        for name in ("requests", "p50", "p90", "p99", "p99.9"):
            table.add_column(name, justify="right")
        for name, one in self.report.latency.items():
            figures = [duration(figure) for figure in (one.p50, one.p90, one.p99, one.p999)]
            table.add_row(name, f"{one.requests:,}", *figures)
        return table

    def _top(self) -> Table:
        table = Table("most wanted", box=None)
        table.add_column("requests", justify="right")
        table.add_column("bytes", justify="right")
        for one in self.report.top:
            table.add_row(escape(one.name), f"{one.count:,}", amount(one.size))
        return table
