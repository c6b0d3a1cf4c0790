"""One command on one deployment: its site, its lock, its place in the history, and its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleet import history, service
from fleet.act import Site
from fleet.errors import NotUp
from fleet.lock import locked
from fleet.naming import Names
from fleet.outcome import Done
from fleet.service import UP, Look
from fleet.wanted import resolve

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment


@dataclass
class Desk:
    """One command on one deployment."""

    cloud: Cloud
    deployment: Deployment
    command: str
    dry_run: bool = False
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        names = Names(self.deployment.name)
        self.site = Site(self.cloud, names)

    def resolved(self) -> Site:
        """The site with the file resolved."""
        self.site = replace(self.site, wanted=resolve(self.cloud, self.deployment))
        return self.site


@contextmanager
def at_work(desk: Desk, changed: list[str], *, insist: bool = False) -> Iterator[Site]:
    """The deployment to oneself; what was changed is written into its history, however the block ends."""
    site, outcome = desk.site, "interrupted"
    with locked(desk.cloud, site.names, site.run, desk.command, insist=insist) as hold:
        try:
            yield site.holding(hold)
            outcome = "done"
        except Exception as why:
            outcome = f"failed: {why}"
            raise
        finally:
            if changed:
                history.remember(desk.cloud, site.names, site.run, desk.command, changed, outcome)


def told(
    desk: Desk,
    changed: Sequence[str],
    look: Look,
    notes: Sequence[str] = (),
    waited: Sequence[str] | None = None,
) -> Done:
    """The outcome. Raises NotUp where there are nodes that should serve, and none does."""
    name = desk.site.names.deployment
    due = look if waited is None else Look(tuple(one for one in look.standings if one.node.id in waited))
    late = service.stories(desk.cloud, due)
    if late and not any(one.verdict == UP for one in look.standings):
        raise NotUp(
            f"no node of {name} is in service:\n" + "\n".join(late), "`invoke fleet.ssh` leads to one of them"
        )
    return Done(name, tuple(changed), look.standings, tuple(late), tuple(notes))
