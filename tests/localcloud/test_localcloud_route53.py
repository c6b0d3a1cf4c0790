"""What Route 53 admits into a zone, as a table, and what its API says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud import route53_hooks
from localcloud.route53 import Change, record_set, refusals

ZONE = "example.com."


def given(name: str, kind: str = "A", value: str = "10.0.0.1", ttl: int = 60, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}], **more}


APEX = [given(ZONE, "NS", "ns-1.awsdns-1.com."), given(ZONE, "SOA", "soa")]
WWW = given("www.example.com.")
ALIAS = given("old.example.com", "CNAME", "www.example.com")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("CREATE", given("new.example.com"))], []),
        ([("UPSERT", given("WWW.example.com", value="10.0.0.2"))], []),
        ([("DELETE", given("www.example.com"))], []),
        ([("DELETE", WWW), ("CREATE", WWW)], []),
        ([("DELETE", WWW), ("CREATE", given("www.example.com", "CNAME", "x."))], []),
        ([("CREATE", given(ZONE, "A"))], []),
        ([("CREATE", given("www.example.com", SetIdentifier="b", Weight=1))], []),
        (
            [("CREATE", WWW)],
            ["Tried to create resource record set [name='www.example.com.', type='A'] but it already exists"],
        ),
        (
            [("CREATE", given("new.example.com")), ("CREATE", given("new.example.com."))],
            ["Tried to create resource record set [name='new.example.com.', type='A'] but it already exists"],
        ),
        (
            [("DELETE", given("none.example.com"))],
            ["Tried to delete resource record set [name='none.example.com.', type='A'] but it was not found"],
        ),
        ([("DELETE", given("www.example.com", ttl=61))], ["do not match the current values"]),
        ([("DELETE", given("www.example.com", value="10.0.0.9"))], ["do not match the current values"]),
        (
            [("CREATE", given("www.example.org"))],
            ["RRSet with DNS name www.example.org. is not permitted in zone example.com."],
        ),
        ([("CREATE", given("notexample.com"))], ["is not permitted in zone example.com."]),
        (
            [("CREATE", given(ZONE, "CNAME", "x."))],
            ["RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com."],
        ),
        ([("UPSERT", given("www.example.com", "CNAME", "x."))], ["conflicts with other records"]),
        (
            [("UPSERT", given("old.example.com", "A"))],
            ["is not permitted because a conflicting RRSet of type CNAME"],
        ),
        ([("DELETE", APEX[1])], ["exactly one SOA"]),
        ([("DELETE", APEX[0])], ["at least one NS"]),
        (
            [("CREATE", WWW), ("DELETE", given("none.example.com"))],
            ["already exists", "was not found"],
        ),
    ],
)
def test_a_batch_is_admitted_or_refused(changes: list[tuple[str, dict[str, Any]]], said: list[str]) -> None:
    there = [record_set(one) for one in (*APEX, WWW, ALIAS)]
    found = refusals(ZONE, there, [Change(action, record_set(one)) for action, one in changes])
    assert len(found) == len(said), found
    for wanted, one in zip(said, found, strict=True):
        assert wanted in one


def test_records_have_no_order_and_an_aliass_target_a_dot_or_none() -> None:
    two = [{"Value": "10.0.0.1"}, {"Value": "10.0.0.2"}]
    assert record_set({**WWW, "ResourceRecords": two}) == record_set({**WWW, "ResourceRecords": two[::-1]})
    alias = {"Name": "a.example.com", "Type": "A", "AliasTarget": {"DNSName": "LB.aws.", "HostedZoneId": "Z"}}
    other = {**alias, "AliasTarget": {"DNSName": "lb.aws", "HostedZoneId": "Z"}}
    assert record_set(alias) == record_set(other)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zones(unhooked: None, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    route53_hooks.install(clock)
    with mock_aws():
        yield boto3.client(
            "route53", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )


@pytest.fixture
def zone(zones: Any) -> str:
    return str(zones.create_hosted_zone(Name="example.com", CallerReference="one")["HostedZone"]["Id"])


@pytest.fixture
def change(zones: Any, zone: str) -> Callable[..., Any]:
    def change(*changes: tuple[str, dict[str, Any]]) -> Any:
        batch = [{"Action": action, "ResourceRecordSet": one} for action, one in changes]
        return zones.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": batch})[
            "ChangeInfo"
        ]

    return change


def names(zones: Any, zone: str) -> list[tuple[str, str]]:
    found = zones.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [(one["Name"], one["Type"]) for one in found]


def test_a_change_is_pending_and_in_sync_after_a_moment(
    zones: Any, change: Callable[..., Any], clock: Clock
) -> None:
    first, second = change(("UPSERT", WWW)), change(("UPSERT", WWW))
    assert first["Id"] != second["Id"]
    assert first["Status"] == "PENDING"
    assert zones.get_change(Id=first["Id"])["ChangeInfo"]["Status"] == "PENDING"
    clock.now += 2
    assert zones.get_change(Id=first["Id"])["ChangeInfo"]["Status"] == "INSYNC"


def test_an_unknown_change_is_refused(zones: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchChange"):
        zones.get_change(Id="CNONE")


def test_a_batch_that_is_refused_changes_nothing(zones: Any, zone: str, change: Callable[..., Any]) -> None:
    change(("CREATE", WWW))
    before = names(zones, zone)
    with pytest.raises(
        ClientError, match=r"InvalidChangeBatch.*\[Tried to create .* but it already exists\]"
    ):
        change(("CREATE", given("new.example.com")), ("CREATE", WWW))
    assert names(zones, zone) == before


def test_a_record_set_is_deleted_alone(zones: Any, zone: str, change: Callable[..., Any]) -> None:
    change(("CREATE", WWW), ("CREATE", given("www.example.com", "TXT", '"x"')))
    change(("DELETE", given("www.example.com", "TXT", '"x"')))
    assert ("www.example.com.", "A") in names(zones, zone)
    assert ("www.example.com.", "TXT") not in names(zones, zone)


def test_a_zone_has_records_of_its_own_as_aws_writes_them(zones: Any, zone: str) -> None:
    found = zones.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    of = {one["Type"]: [record["Value"] for record in one["ResourceRecords"]] for one in found}
    assert of["SOA"][0].startswith("ns-2048.awsdns-64.com. awsdns-hostmaster.amazon.com. 1 7200 900")
    assert len(of["NS"]) == 4
    assert all(one.endswith(".") for one in of["NS"])


def test_a_caller_reference_makes_one_zone(zones: Any, zone: str) -> None:
    with pytest.raises(ClientError, match="HostedZoneAlreadyExists"):
        zones.create_hosted_zone(Name="example.com", CallerReference="one")


def test_a_record_needs_values_or_a_target_and_not_both(change: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match=r"InvalidInput.*found none"):
        change(("CREATE", {"Name": "x.example.com", "Type": "A"}))
