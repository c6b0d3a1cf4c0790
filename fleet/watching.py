"""New nodes watched: alarms, and the traffic that CloudWatch tells of, held against what was before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet import alarms
from fleet.traffic import by_minute
from fleet.verdict import Limits, Traffic, worse

if TYPE_CHECKING:
    from aws.patience import Clock
    from fleet.act import Site
    from fleet.roll_record import Record

# CloudWatch may tell of a minute only some minutes later.
LATEST_SECONDS = 180.0


def faults_since(
    site: Site, record: Record, since: datetime, share: float, clock: Clock, look_up: Callable[[], None]
) -> list[str]:
    """What is worse than before the roll-out, a sentence each, now that new nodes are a share of all.

    `look_up` passes some time, and may end the wait.
    """
    until = clock.monotonic() + record.order.watch_seconds
    while clock.monotonic() < until:
        look_up()
    minutes = _told(site, record, since, clock, look_up)
    rings = [one for one in alarms.ringing(site.cloud, site.names) if one not in record.rang]
    return [
        *worse(record.before, minutes, since, Limits.of_share(share)),
        *(f"the alarm {one} rings" for one in rings),
    ]


def _told(
    site: Site, record: Record, since: datetime, clock: Clock, look_up: Callable[[], None]
) -> Mapping[datetime, Traffic]:
    """Traffic by the minute; where there was any before, it may take a while to hear of this minute."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    until = clock.monotonic() + LATEST_SECONDS
    while True:
        minutes = by_minute(site.cloud, site.balancers(), since)
        told = any(at >= now and one.requests for at, one in minutes.items())
        if told or not record.before.requests or clock.monotonic() >= until:
            return minutes
        look_up()
