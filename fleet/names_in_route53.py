"""Route 53: the zone, the record that leads to the load balancer, and waiting until all servers have it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws.ownership import tag_list
from aws.patience import Patience, wait_for
from fleet.errors import NotThere
from fleet.naming import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws.session import Cloud
    from fleet.dns_record import Dns
    from fleet.load_balancer import LoadBalancer

# AWS promises a minute; the rest is for the day on which it does not keep to it.
_IN_SYNC = Patience(delay_seconds=2, budget_seconds=300)


@dataclass(frozen=True)
class Record:
    """A record as it is."""

    kind: str
    """`cname` or `alias`, else its type in small letters."""
    target: str
    ttl_seconds: int = 0


@dataclass(frozen=True)
class ActualName:
    """A hosted zone, and the record of the wanted name in it."""

    zone_id: str
    ours: bool
    """Whether the deployment made the zone."""
    record: Record | None = None


def described(cloud: Cloud, deployment: str, dns: Dns) -> ActualName | None:
    """What there is of a name; None when there is no such zone."""
    found = cloud.route53.list_hosted_zones_by_name(DNSName=dns.zone, MaxItems="1")["HostedZones"]
    if not found or found[0]["Name"] != f"{dns.zone}.":
        return None
    zone_id = found[0]["Id"].rpartition("/")[2]
    answer = cloud.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)
    tags = {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"].get("Tags", [])}
    return ActualName(zone_id, tags.get(DEPLOYMENT) == deployment, record(cloud, zone_id, dns.name))


def record(cloud: Cloud, zone_id: str, name: str) -> Record | None:
    """The address record or CNAME of a name."""
    found = cloud.route53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=name, MaxItems="10")
    for one in found["ResourceRecordSets"]:
        if one["Name"].rstrip(".") == name and one["Type"] in ("A", "CNAME"):
            return _read(one)
    return None


def make_zone(cloud: Cloud, zone: str, tags: Mapping[str, str]) -> str:
    """Create a hosted zone and return its id."""
    made = cloud.route53.create_hosted_zone(Name=zone, CallerReference=str(uuid.uuid4()))
    zone_id = made["HostedZone"]["Id"].rpartition("/")[2]
    cloud.route53.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=zone_id, AddTags=tag_list(tags)
    )
    return zone_id


def remove_zone(cloud: Cloud, zone_id: str) -> None:
    """Delete a hosted zone that holds nothing but what it was born with."""
    cloud.route53.delete_hosted_zone(Id=zone_id)


def wanted_record(dns: Dns, balancer: LoadBalancer) -> Record:
    """The record that leads to a load balancer."""
    return Record(dns.kind, balancer.dns_name.lower(), dns.ttl_seconds if dns.kind == "cname" else 0)


def point(cloud: Cloud, zone_id: str, dns: Dns, balancer: LoadBalancer) -> None:
    """Have a name lead to a load balancer, and wait until every server of the zone says so."""
    before = record(cloud, zone_id, dns.name)
    wanted = _set(dns.name, wanted_record(dns, balancer), balancer.zone_id)
    changes = [{"Action": "UPSERT", "ResourceRecordSet": wanted}]
    # A CNAME and an address cannot stand beside each other: of another type, the old one goes first.
    if before and (before.kind == "cname") != (dns.kind == "cname"):
        changes.insert(0, {"Action": "DELETE", "ResourceRecordSet": _raw(cloud, zone_id, dns.name)})
    _change(cloud, zone_id, changes)


def forget(cloud: Cloud, zone_id: str, name: str) -> None:
    """Remove a name's record, if it is there."""
    if record(cloud, zone_id, name):
        _change(cloud, zone_id, [{"Action": "DELETE", "ResourceRecordSet": _raw(cloud, zone_id, name)}])


def need_zone(actual: ActualName | None, dns: Dns) -> ActualName:
    """The zone that must be there. Raises NotThere."""
    if actual is None:
        raise NotThere(
            f"there is no hosted zone {dns.zone}",
            "create it in Route 53 and delegate to it, or say `make_zone = true`",
        )
    return actual


def _change(cloud: Cloud, zone_id: str, changes: Any) -> None:
    change = cloud.route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
    number = change["ChangeInfo"]["Id"]

    def look() -> bool | None:
        return cloud.route53.get_change(Id=number)["ChangeInfo"]["Status"] == "INSYNC" or None

    wait_for(f"{number}: reaching all of Route 53's servers", look, _IN_SYNC)


def _read(described: Any) -> Record:
    alias = described.get("AliasTarget")
    if alias:
        return Record("alias", alias["DNSName"].rstrip(".").lower().removeprefix("dualstack."))
    values = ", ".join(one["Value"].rstrip(".").lower() for one in described.get("ResourceRecords", []))
    return Record(described["Type"].lower(), values, described.get("TTL", 0))


def _raw(cloud: Cloud, zone_id: str, name: str) -> Any:
    found = cloud.route53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=name, MaxItems="10")
    return next(
        one
        for one in found["ResourceRecordSets"]
        if one["Name"].rstrip(".") == name and one["Type"] in ("A", "CNAME")
    )


def _set(name: str, wanted: Record, balancer_zone: str) -> Any:
    if wanted.kind == "alias":
        target = {"HostedZoneId": balancer_zone, "DNSName": wanted.target, "EvaluateTargetHealth": True}
        return {"Name": name, "Type": "A", "AliasTarget": target}
    records = [{"Value": wanted.target}]
    return {"Name": name, "Type": "CNAME", "TTL": wanted.ttl_seconds, "ResourceRecords": records}
