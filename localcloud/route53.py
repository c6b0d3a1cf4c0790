"""What Route 53 admits into a zone: a batch of changes, whole or not at all. Pure.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACTIONS = ("CREATE", "UPSERT", "DELETE")

Key = tuple[str, str, str]
"""Name, type and set identifier: what there can be one record set of."""


@dataclass(frozen=True)
class RecordSet:
    """A record set as far as it decides what is admitted; `content` is all else that it says."""

    name: str
    type: str
    identifier: str = ""
    content: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """What there can be one of."""
        return self.name, self.type, self.identifier

    @property
    def told(self) -> str:
        """As refusals name it."""
        more = f", set-identifier='{self.identifier}'" if self.identifier else ""
        return f"[name='{self.name}', type='{self.type}'{more}]"


@dataclass(frozen=True)
class Change:
    """One change of a batch."""

    action: str
    record_set: RecordSet


def full_name(name: str) -> str:
    """A name as Route 53 keeps it: small letters, a dot at its end."""
    return f"{name.lower().rstrip('.')}."


def record_set(given: Mapping[str, Any]) -> RecordSet:
    """A record set as the API gives it. TTLs are numbers, records have no order, names of aliases a dot."""
    values = sorted(str(one["Value"]) for one in given.get("ResourceRecords") or ())
    target = dict(given.get("AliasTarget") or {})
    if target:
        target["DNSName"] = full_name(str(target.get("DNSName", "")))
    skipped = ("Name", "Type", "SetIdentifier", "ResourceRecords", "AliasTarget")
    rest = {name: str(value) for name, value in given.items() if name not in skipped and value is not None}
    content = {
        **rest,
        "values": "\n".join(values),
        "alias": str(sorted((name, str(value)) for name, value in target.items())),
    }
    return RecordSet(
        full_name(str(given["Name"])),
        str(given["Type"]),
        str(given.get("SetIdentifier") or ""),
        tuple(sorted(content.items())),
    )


def refusals(zone: str, there: Iterable[RecordSet], changes: Sequence[Change]) -> list[str]:
    """Why a batch is refused, empty when it is not. Deletions make room for what the batch brings."""
    after = {one.key: one for one in there}
    said: list[str] = []
    for change in changes:
        one = change.record_set
        problem = _problem(zone, after, change)
        if problem:
            said.append(problem)
        elif change.action == "DELETE":
            del after[one.key]
        else:
            after[one.key] = one
    return said or _conflicts(zone, after.values(), changes)


def _problem(zone: str, now: Mapping[Key, RecordSet], change: Change) -> str:
    one = change.record_set
    known = now.get(one.key)
    if one.name != zone and not one.name.endswith(f".{zone}"):
        return f"RRSet with DNS name {one.name} is not permitted in zone {zone}"
    if change.action == "CREATE" and known:
        return f"Tried to create resource record set {one.told} but it already exists"
    return _not_to_delete(zone, known, one) if change.action == "DELETE" else ""


def _not_to_delete(zone: str, known: RecordSet | None, one: RecordSet) -> str:
    """Why a record set cannot be deleted: all that it says must be given, and a zone keeps its own."""
    if known is None:
        return f"Tried to delete resource record set {one.told} but it was not found"
    if known.content != one.content:
        return (
            f"Tried to delete resource record set {one.told} but the values provided do not match the current"
            " values"
        )
    own = {
        "SOA": "A HostedZone must contain exactly one SOA record.",
        "NS": "A HostedZone must contain at least one NS record for the zone itself.",
    }
    return own.get(one.type, "") if one.name == zone else ""


def _conflicts(zone: str, after: Iterable[RecordSet], changes: Sequence[Change]) -> list[str]:
    """A name that stands for another can have no records beside that, and a zone's own name always has."""
    kinds: dict[str, set[str]] = {}
    for one in after:
        kinds.setdefault(one.name, set()).add(one.type)
    said = []
    for change in changes:
        one = change.record_set
        if change.action == "DELETE":
            continue
        if one.type == "CNAME" and one.name == zone:
            said.append(
                f"RRSet of type CNAME with DNS name {one.name} is not permitted at apex in zone {zone}"
            )
        elif one.type == "CNAME" and kinds[one.name] != {"CNAME"}:
            said.append(
                f"RRSet of type CNAME with DNS name {one.name} is not permitted as it conflicts with other"
                f" records with the same DNS name in zone {zone}"
            )
        elif one.type != "CNAME" and "CNAME" in kinds[one.name]:
            said.append(
                f"RRSet of type {one.type} with DNS name {one.name} is not permitted because a conflicting"
                f" RRSet of type CNAME with the same DNS name already exists in zone {zone}"
            )
    return said
