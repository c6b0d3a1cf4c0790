"""Route 53 as strict as AWS's in moto's place: batches refused, changes under way, zones' own records."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.hooks import replace
from localcloud.route53 import ACTIONS, Change, full_name, record_set, refusals

_RESPONSE = "moto.route53.responses:Route53"
_BACKEND = "moto.route53.models:Route53Backend"
_PENDING_SECONDS = 2.0
_NO_CHANGES = 1000  # that many are remembered
_OWNER = "awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"


@dataclass(frozen=True)
class Submitted:
    """A change and when it was made, in seconds since 1970."""

    id: str
    at: float

    def document(self, now: float) -> dict[str, Any]:
        """As Route 53 tells of it."""
        status = "PENDING" if now - self.at < _PENDING_SECONDS else "INSYNC"
        return {"Id": self.id, "Status": status, "SubmittedAt": datetime.fromtimestamp(self.at, UTC)}


def install(clock: Callable[[], float] = time.time) -> None:
    """Refuse what Route 53 refuses, and let changes take a moment."""

    def with_change(original: Callable[..., Any]) -> Callable[..., Any]:
        def answer(self: Any) -> Any:
            result = original(self)
            result.result["ChangeInfo"] |= _submit(self.backend, clock()).document(clock())
            return result

        return answer

    def get_change(self: Any) -> Any:
        from moto.core.responses import ActionResult

        change_id = str(self._get_param("Id")).rpartition("/")[2]
        known = _changes(self.backend).get(f"/change/{change_id}")
        if known is None:
            raise refusal("NoSuchChange", f"Could not find resource with ID: {change_id}")
        return ActionResult({"ChangeInfo": known.document(clock())})

    for name in ("create_hosted_zone", "delete_hosted_zone", "change_resource_record_sets"):
        replace(f"{_RESPONSE}.{name}", with_change)
    replace(f"{_RESPONSE}.get_change", lambda _: get_change)
    replace(f"{_BACKEND}.change_resource_record_sets", lambda _: _change_record_sets)
    replace(f"{_BACKEND}.create_hosted_zone", _zones_own_records)


def refusal(code: str, message: str) -> Exception:
    """An error of Route 53's, to be raised."""
    from moto.route53.exceptions import Route53ClientError

    error: Exception = Route53ClientError(code, message)
    return error


def _change_record_sets(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    from moto.route53.models import RecordSet
    from moto.route53.utils import validate_domain_name

    zone = self.get_hosted_zone(zoneid)
    for one in change_list:
        validate_domain_name(one["ResourceRecordSet"]["Name"], code="InvalidChangeBatch")
        if one["Action"] not in ACTIONS:
            raise refusal("InvalidInput", f"Invalid value '{one['Action']}' for 'Action'.")
        _check_content(one)
    changes = [Change(one["Action"], record_set(one["ResourceRecordSet"])) for one in change_list]
    there = [record_set(_given(one)) for one in zone.rrsets]
    said = refusals(full_name(zone.name), there, changes)
    if said:
        raise refusal("InvalidChangeBatch", f"[{', '.join(said)}]")
    for one, change in zip(change_list, changes, strict=True):
        zone.rrsets = [
            kept
            for kept in zone.rrsets
            if (full_name(kept.name), kept.type, kept.set_identifier or "") != change.record_set.key
        ]
        if change.action != "DELETE":
            given = dict(one["ResourceRecordSet"])
            given["Name"] = change.record_set.name
            if given.get("ResourceRecords"):
                given["ResourceRecords"] = [record["Value"] for record in given["ResourceRecords"]]
            zone.rrsets.append(RecordSet(given))


def _check_content(change: dict[str, Any]) -> None:
    given = change["ResourceRecordSet"]
    plain = given.get("TTL") is not None and bool(given.get("ResourceRecords"))
    if bool(given.get("AliasTarget")) == plain:
        found = "more than one" if plain else "none"
        raise refusal(
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or"
            f" TrafficPolicyInstanceId], but found {found} in Change with [Action={change['Action']},"
            f" Name={given['Name']}, Type={given['Type']},"
            f" SetIdentifier={given.get('SetIdentifier') or 'null'}]",
        )


def _given(kept: Any) -> dict[str, Any]:
    """One of moto's record sets as the API would give it."""
    return {
        "Name": kept.name,
        "Type": kept.type,
        "TTL": kept.ttl,
        "ResourceRecords": [{"Value": value} for value in kept.records or ()],
        "SetIdentifier": kept.set_identifier,
        "Weight": kept.weight,
        "Region": kept.region,
        "HealthCheckId": kept.health_check_id,
        "AliasTarget": kept.alias_target,
        "Failover": kept.failover,
        "GeoLocation": kept.geo_location,
        "MultiValueAnswer": kept.multi_value_answer,
    }


def _zones_own_records(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_hosted_zone(
        self: Any, name: str, private_zone: Any, caller_reference: str | None = None, *rest: Any, **more: Any
    ) -> Any:
        if caller_reference and any(one.caller_reference == caller_reference for one in self.zones.values()):
            raise refusal(
                "HostedZoneAlreadyExists",
                "A hosted zone has already been created with the specified caller reference:"
                f" {caller_reference}",
            )
        zone = original(self, full_name(name), private_zone, caller_reference, *rest, **more)
        servers = [full_name(one) for one in zone.delegation_set.name_servers]
        for own in zone.rrsets:
            own.name = full_name(own.name)
            own.ttl, own.records = (
                (172800, servers) if own.type == "NS" else (900, [f"{servers[0]} {_OWNER}"])
            )
        return zone

    return create_hosted_zone


def _changes(backend: Any) -> dict[str, Submitted]:
    found: dict[str, Submitted] = vars(backend).setdefault("local_changes", {})
    return found


def _submit(backend: Any, now: float) -> Submitted:
    letters = string.ascii_uppercase + string.digits
    change = Submitted(f"/change/C{''.join(secrets.choice(letters) for _ in range(20))}", now)
    known = _changes(backend)
    known[change.id] = change
    while len(known) > _NO_CHANGES:
        del known[next(iter(known))]
    return change
