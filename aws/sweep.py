"""The sweep: ends what killed runs left behind, and nothing that anyone still needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws import leftovers, temporary
from aws.desk import Life, life
from aws.duration import spoken
from aws.errors import AwsError
from aws.instance import terminate
from aws.scratch import abandoned

if TYPE_CHECKING:
    from aws.leftovers import Leftover
    from aws.session import Cloud

# What runs on another desk cannot be seen from here; but no builder outlives this.
LONGEST_RUN = timedelta(hours=2)


@dataclass(frozen=True)
class Rules:
    """What a sweep goes by: the time, what is known of runs, and from which age on others' things go too."""

    older_than: timedelta | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    life: Callable[[str], Life] = life


@dataclass(frozen=True)
class Judged:
    """A thing, and why it went or stayed."""

    kind: str
    id: str
    why: str


@dataclass
class Swept:
    """What a sweep came to."""

    removed: list[Judged] = field(default_factory=list)
    kept: list[Judged] = field(default_factory=list)


def reason_to_go(one: Leftover, rules: Rules) -> tuple[bool, str]:
    """Whether something is left over, and why or why not."""
    known = rules.life(one.run)
    if known is Life.ALIVE:
        return False, known.value
    if one.spared:
        return False, one.spared
    if known is Life.DEAD:
        return True, known.value
    if one.expires and one.expires <= rules.now:
        return True, f"it expired {spoken(rules.now - one.expires)} ago"
    age = rules.now - one.began if one.began else timedelta()
    old = rules.older_than is not None and age >= max(rules.older_than, LONGEST_RUN)
    if known is Life.ELSEWHERE and old:
        return True, f"it is {spoken(age)} old, and its run, another desk's, cannot have lived so long"
    left = f"; it expires in {spoken(one.expires - rules.now)}" if one.expires else ""
    return False, known.value + left


def sweep(cloud: Cloud, rules: Rules, *, dry_run: bool = False) -> Swept:
    """Remove what is left over, in an order in which nothing holds on to what goes after it.

    What AWS does not let go is kept, with AWS's reason.
    """
    swept = Swept()
    doomed = _instances(cloud, rules, swept, dry_run=dry_run)
    used = leftovers.used_by_others(cloud, doomed)
    for found, remove in (
        (leftovers.volumes(cloud), lambda one: cloud.ec2.delete_volume(VolumeId=one.id)),
        (leftovers.key_pairs(cloud), lambda one: cloud.ec2.delete_key_pair(KeyName=one.id)),
        (leftovers.security_groups(cloud, used), lambda one: temporary.delete_group(cloud, one.id)),
        (leftovers.profiles(cloud, used), lambda one: temporary.delete_profile(cloud, one.id)),
        (leftovers.buckets(cloud), lambda one: temporary.delete_bucket(cloud, one.id)),
        (leftovers.images(cloud), lambda one: _delete_image(cloud, one)),
        (leftovers.snapshots(cloud), lambda one: cloud.ec2.delete_snapshot(SnapshotId=one.id)),
    ):
        _kind(list(found), rules, swept, (lambda _: None) if dry_run else remove)
    for folder in abandoned(rules.life):
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
        swept.removed.append(Judged("scratch-folder", str(folder), Life.DEAD.value))
    return swept


def _instances(cloud: Cloud, rules: Rules, swept: Swept, *, dry_run: bool) -> frozenset[str]:
    """Terminate the instances that are left over, all at once, and return their ids."""
    found = [(one, *reason_to_go(one, rules)) for one in leftovers.instances(cloud)]
    doomed = [one.id for one, goes, _ in found if goes]
    if not dry_run:
        terminate(cloud, doomed)
    for one, goes, why in found:
        (swept.removed if goes else swept.kept).append(Judged(one.kind, one.id, why))
    return frozenset(doomed)


def _kind(
    found: Iterable[Leftover], rules: Rules, swept: Swept, remove: Callable[[Leftover], object]
) -> None:
    for one in found:
        goes, why = reason_to_go(one, rules)
        if goes:
            try:
                remove(one)
            except (ClientError, AwsError) as refusal:
                goes = _gone_already(refusal)
                why = "it had gone already" if goes else f"it could not be removed: {refusal}"
        (swept.removed if goes else swept.kept).append(Judged(one.kind, one.id, why))


def _gone_already(refusal: Exception) -> bool:
    """Whether somebody else, another sweep perhaps, was quicker."""
    code = refusal.response["Error"]["Code"] if isinstance(refusal, ClientError) else ""
    return code.endswith(".NotFound") or code in ("NoSuchBucket", "NoSuchEntity")


def _delete_image(cloud: Cloud, one: Leftover) -> None:
    cloud.ec2.deregister_image(ImageId=one.id)
    for snapshot in one.snapshots:
        cloud.ec2.delete_snapshot(SnapshotId=snapshot)
