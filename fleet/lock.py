"""One command at a time: a lock in the parameter store, where every desk sees it.

The lock is a parameter that nobody overwrites. One whose run is dead, or that its holder has not renewed in
time, may be taken over: of several takers AWS numbers the writes, and only the one who wrote the version next
to the dead holder's has it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws.desk import Life, life
from aws.duration import spoken
from aws.errors import OutOfPatience
from aws.ownership import Run, moment, parsed
from aws.patience import Clock, Patience, wait_for
from fleet.errors import Interrupted, Locked

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.naming import Names

_LEAF, _PLEA = "lock", "lock-plea"
# Renewed far more often; another desk's killed run blocks for this long at most.
HELD = timedelta(minutes=10)
_RENEW_AFTER_SECONDS = 60.0
_YIELDING = Patience(delay_seconds=1, budget_seconds=120)


@dataclass(frozen=True)
class Holder:
    """Who is at work, on what, and until when that counts without another word."""

    run: str
    command: str
    since: str
    until: str

    @classmethod
    def now(cls, run: Run, command: str) -> Holder:
        """The holder that this run is from now on."""
        at = datetime.now(UTC)
        return cls(run.id, command, moment(at), moment(at + HELD))

    def gone(self, known: Callable[[str], Life] = life) -> bool:
        """Whether it holds nothing any more: its process is dead, or another desk's has not renewed it."""
        its = known(self.run)
        until = parsed(self.until)
        return its is Life.DEAD or (its is not Life.ALIVE and until is not None and until < datetime.now(UTC))

    def __str__(self) -> str:
        began = parsed(self.since)
        age = f", for {spoken(datetime.now(UTC) - began)}" if began else ""
        return f"`{self.command}` of {self.run}{age}"


@dataclass
class Hold:
    """A lock that is held, to be renewed and asked now and then whether another command wants it."""

    cloud: Cloud
    names: Names
    holder: Holder
    clock: Clock = time
    renewed: float = 0.0

    def check(self) -> None:
        """Renew the lock if it is time; give way if that is asked. Raises Interrupted."""
        if plea := _read(self.cloud, self.names, _PLEA):
            raise Interrupted(
                f"gave way to {plea[0]}", "what was done stays; the same command goes on from there"
            )
        if self.clock.monotonic() - self.renewed < _RENEW_AFTER_SECONDS:
            return
        self.renewed = self.clock.monotonic()
        until = moment(datetime.now(UTC) + HELD)
        _write(self.cloud, self.names, _LEAF, replace(self.holder, until=until), overwrite=True)


@contextmanager
def locked(
    cloud: Cloud, names: Names, run: Run, command: str, *, insist: bool = False, clock: Clock = time
) -> Iterator[Hold]:
    """The deployment to oneself for a block.

    Raises Locked, naming who has it; with `insist` the holder is asked to give way, and is waited for.
    """
    mine = Holder.now(run, command)
    if insist:
        _supplant(cloud, names, mine, clock)
    elif other := _take(cloud, names, mine):
        raise Locked(
            f"the deployment {names.deployment} is in the hands of {other}",
            "wait for it; `invoke fleet.down` makes it give way",
        )
    try:
        yield Hold(cloud, names, mine, clock, clock.monotonic())
    finally:
        _release(cloud, names, mine)


def _supplant(cloud: Cloud, names: Names, mine: Holder, clock: Clock) -> None:
    """Take the lock, pleading for it as long as somebody has it. Raises Locked when he does not give way."""
    other = _take(cloud, names, mine)
    if other is None:
        return
    _write(cloud, names, _PLEA, mine, overwrite=True)
    try:
        wait_for(
            f"the holder of {names.deployment}: giving way",
            lambda: True if _take(cloud, names, mine) is None else None,
            _YIELDING,
            clock,
        )
    except OutOfPatience as why:
        raise Locked(f"{other} did not give way: {why}", "end it, then run the same command again") from why
    finally:
        _delete(cloud, names, _PLEA)


def _take(cloud: Cloud, names: Names, mine: Holder) -> Holder | None:
    """Take the lock, and return None; else who has it."""
    if _write(cloud, names, _LEAF, mine, overwrite=False):
        return None
    found = _read(cloud, names, _LEAF)
    if found is None:
        return _take(cloud, names, mine)
    other, version = found
    if not other.gone():
        return other
    written = _write(cloud, names, _LEAF, mine, overwrite=True)
    if written == version + 1:
        return None
    # Somebody took it over in the same moment and was first: what he wrote is put back.
    first = _read(cloud, names, f"{_LEAF}:{version + 1}")
    if first is not None:
        _write(cloud, names, _LEAF, first[0], overwrite=True)
    return first[0] if first else other


def _release(cloud: Cloud, names: Names, mine: Holder) -> None:
    found = _read(cloud, names, _LEAF)
    if found and found[0].run == mine.run:
        _delete(cloud, names, _LEAF)


def _write(cloud: Cloud, names: Names, leaf: str, holder: Holder, *, overwrite: bool) -> int:
    """The version that was written; 0 where somebody else's stands."""
    value = json.dumps(asdict(holder))
    try:
        answer = cloud.ssm.put_parameter(
            Name=names.parameter(leaf), Value=value, Type="String", Overwrite=overwrite
        )
    except ClientError as why:
        if why.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise
        return 0
    return answer["Version"]


def _read(cloud: Cloud, names: Names, leaf: str) -> tuple[Holder, int] | None:
    try:
        found = cloud.ssm.get_parameter(Name=names.parameter(leaf))["Parameter"]
    except ClientError as why:
        if why.response["Error"]["Code"] not in ("ParameterNotFound", "ParameterVersionNotFound"):
            raise
        return None
    return Holder(**json.loads(found["Value"])), found["Version"]


def _delete(cloud: Cloud, names: Names, leaf: str) -> None:
    try:
        cloud.ssm.delete_parameter(Name=names.parameter(leaf))
    except cloud.ssm.exceptions.ParameterNotFound:
        return
