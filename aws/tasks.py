"""`invoke sweep`: what killed runs left behind, from the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Group
from rich.table import Table

from aws.duration import duration
from aws.session import connect

if TYPE_CHECKING:
    from aws.sweep import Judged


@dataclass(frozen=True)
class Sweeping:
    """What went and what stayed."""

    removed: tuple[Judged, ...]
    kept: tuple[Judged, ...]
    dry_run: bool
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "removed": [asdict(one) for one in self.removed],
            "kept": [asdict(one) for one in self.kept],
            "dry_run": self.dry_run,
        }

    def __rich__(self) -> Group | str:
        """As people read it."""
        if not self.removed and not self.kept:
            return "nothing temporary is left"
        verb = "would remove" if self.dry_run else "removed"
        return Group(_table(verb, self.removed), _table("kept", self.kept))


def _table(title: str, judged: Sequence[Judged]) -> Table | str:
    if not judged:
        return f"{title} nothing"
    table = Table(title, "id", "why", box=None)
    table.columns[1].overflow = "fold"  # an id that is cut cannot be pasted
    for one in judged:
        table.add_row(one.kind, one.id, one.why)
    return table


@task(
    help={
        "older-than": "take other desks' things too from this age on, such as 5h or 1d, but never below 2h",
        "dry-run": "say what would go, and remove nothing",
    }
)
def sweep(_: Context, older_than: str = "", dry_run: bool = False) -> Sweeping:
    """Remove what killed runs left: temporary things that expired or whose run is dead.

    Whether a run lives is known of this desk's; another desk's things go when they expire (after 3 hours),
    or with --older-than. What carries no tags of ours, is in use or belongs to a live run stays.
    """
    from aws.sweep import Rules
    from aws.sweep import sweep as swept

    result = swept(connect(), Rules(duration(older_than) if older_than else None), dry_run=dry_run)
    return Sweeping(tuple(result.removed), tuple(result.kept), dry_run)
