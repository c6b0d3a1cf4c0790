"""What was done to a deployment, when, by whom: versions of one parameter, of which AWS keeps a hundred."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws.ownership import Run, moment

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.naming import Names

_LEAF = "history"
# A parameter of the standard tier holds 4 KiB; the rest is for the other fields.
_LONGEST = 3000


@dataclass(frozen=True)
class Entry:
    """One command that changed something."""

    at: str
    command: str
    by: str
    seconds: float
    outcome: str
    changed: tuple[str, ...]


def remember(
    cloud: Cloud, names: Names, run: Run, command: str, changed: Sequence[str], outcome: str = "done"
) -> None:
    """Add an entry; it outlives the deployment, so that there is an answer to who took it down."""
    kept: list[str] = []
    for one in changed:
        if sum(map(len, kept)) + len(one) > _LONGEST:
            kept.append(f"and {len(changed) - len(kept)} more")
            break
        kept.append(one)
    now = datetime.now(UTC)
    seconds = round((now - run.began).total_seconds(), 1)
    entry = Entry(
        moment(now), command, f"{getpass.getuser()} ({run.id})", seconds, outcome[:300], tuple(kept)
    )
    cloud.ssm.put_parameter(
        Name=names.parameter(_LEAF), Value=json.dumps(asdict(entry)), Type="String", Overwrite=True
    )


def entries(cloud: Cloud, names: Names) -> tuple[Entry, ...]:
    """The entries, oldest first."""
    pages = cloud.ssm.get_paginator("get_parameter_history").paginate(Name=names.parameter(_LEAF))
    try:
        found = [one for page in pages for one in page["Parameters"]]
    except cloud.ssm.exceptions.ParameterNotFound:
        return ()
    read = [json.loads(one["Value"]) for one in sorted(found, key=lambda one: one["Version"])]
    return tuple(Entry(**{**one, "changed": tuple(one["changed"])}) for one in read)
