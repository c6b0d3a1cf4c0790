from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace as Made
from typing import Any

from localcloud.dns_records import zones
from localcloud.dns_zones import Record, Zone, server_config, zone_file

GOLDEN = Path(__file__).with_name("golden")
BALANCERS = {"web-1.us-east-1.elb.amazonaws.com": IPv4Address("10.0.0.5")}


def record(name: str, kind: str, *values: str, **more: Any) -> Any:
    wanted = {"ttl": 30, "weight": None, "alias_target": None, **more}
    return Made(name=name, type=kind, records=list(values), **wanted)


def served(*sets: Any) -> tuple[Record, ...]:
    found = zones([Made(name="shop.test.", rrsets=list(sets))], BALANCERS, [], "ec2.internal")
    return next(zone for zone in found if zone.name == "shop.test").records


def test_a_zone_file_is_the_golden_one() -> None:
    zone = Zone(
        "shop.test",
        served(
            record("www.shop.test.", "CNAME", "web-1.us-east-1.elb.amazonaws.com"),
            record("\\052.shop.test", "A", "192.0.2.1", "192.0.2.2", ttl=5),
            record("shop.test", "MX", "10 mail.shop.test"),
            record("shop.test", "TXT", '"v=spf1 -all"'),
        ),
    )
    rendered = zone_file(zone, 7)
    if os.environ.get("BLESS"):
        (GOLDEN / "shop.test.zone").write_text(rendered)
    assert rendered == (GOLDEN / "shop.test.zone").read_text()


def test_an_alias_has_the_load_balancers_address() -> None:
    alias = record("shop.test", "A", alias_target={"DNSName": "dualstack.WEB-1.us-east-1.elb.amazonaws.com."})
    assert served(alias) == (Record("shop.test", 60, "A", "10.0.0.5"),)


def test_at_the_apex_an_alias_stands_beside_what_every_zone_has() -> None:
    alias = record("shop.test.", "A", alias_target={"DNSName": "web-1.us-east-1.elb.amazonaws.com"})
    apex = [line.split() for line in zone_file(Zone("shop.test", served(alias)), 7).splitlines()]
    assert [(line[0], line[3]) for line in apex] == [("shop.test.", kind) for kind in ("SOA", "NS", "A")]
    assert apex[2] == ["shop.test.", "60", "IN", "A", "10.0.0.5"]


def test_an_alias_of_a_name_in_the_zone_has_its_records() -> None:
    alias = record("shop.test", "A", alias_target={"DNSName": "a.shop.test"})
    found = served(record("a.shop.test", "A", "192.0.2.1", ttl=9), alias)
    assert Record("shop.test", 9, "A", "192.0.2.1") in found


def test_an_alias_of_nothing_is_not_served() -> None:
    assert served(record("shop.test", "A", alias_target={"DNSName": "gone.example"})) == ()


def test_the_zones_own_soa_and_ns_are_not_taken_from_the_records() -> None:
    assert served(record("shop.test", "SOA", "{'x'}"), record("shop.test", "NS", "ns.x")) == ()
    assert served(record("sub.shop.test", "NS", "ns.x"))[0].value == "ns.x."


def test_of_weighted_names_the_heaviest_is_served_and_of_addresses_all() -> None:
    light = record("www.shop.test", "CNAME", "a.test", weight=1)
    heavy = record("www.shop.test", "CNAME", "b.test", weight=9)
    assert [one.value for one in served(light, heavy)] == ["b.test."]
    off = record("shop.test", "A", "192.0.2.1", weight=0)
    on = record("shop.test", "A", "192.0.2.2", weight=1)
    assert [one.value for one in served(off, on)] == ["192.0.2.2"]


def test_load_balancers_and_instances_have_names() -> None:
    machine = Made(private_ip_address="10.0.0.7", state="running")
    gone = Made(private_ip_address="10.0.0.8", state="terminated")
    found = {zone.name: zone.records for zone in zones([], BALANCERS, [machine, gone], "ec2.internal")}
    assert found["web-1.us-east-1.elb.amazonaws.com"][0].value == "10.0.0.5"
    assert [one.name for one in found["ec2.internal"]] == ["ip-10-0-0-7.ec2.internal"]


def test_what_the_server_does_not_know_it_asks_the_forwarders() -> None:
    text = server_config(IPv4Address("10.0.0.2"), ["192.0.2.53"], [Zone("a.test", ())], Path("/run/dns"))
    assert "forwarders { 192.0.2.53; };" in text
    assert "forward only;" in text
    assert 'zone "a.test" { type primary; file "a.test.zone";' in text
    assert "forward" not in server_config(IPv4Address("10.0.0.2"), [], [], Path("/run/dns"))


def test_no_value_of_a_record_ends_its_line() -> None:
    (found,) = served(record("shop.test", "TXT", '"a"\n$INCLUDE /etc/passwd'))
    assert "\n" not in found.value
