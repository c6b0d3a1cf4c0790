"""The name and the size of a deployment as people ask for them: what is printed, and the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet_door import SHOP, Door

from fleet import dns_check
from fleet.dns_question import Answer

if TYPE_CHECKING:
    from moto_fixture import FakeClock

    from aws.session import Cloud


# --- dns.point, dns.check ---


def test_a_name_is_pointed_once(up: Door, mock_cloud: Cloud) -> None:
    assert up.invoke("dns.point", "--json").document["changed"] == []
    up.write(SHOP.replace("ttl_seconds = 30", "ttl_seconds = 10"))
    tried = up.invoke("dns.point", "--dry-run", "--json").document
    done = up.invoke("dns.point", "--json").document
    assert tried == done
    assert (done["type"], done["ttl"], len(done["changed"])) == ("cname", 10, 1)
    again = up.invoke("dns.point")
    assert again.code == 0
    assert "may be kept for 10 s): nothing to change" in again.out


def test_a_name_without_a_load_balancer_is_pointed_nowhere(door: Door) -> None:
    told = door.invoke("dns.point")
    assert told.code == 1
    assert "no load balancer 'shop-front'" in told.err


def test_a_file_without_a_name_has_none_to_point(door: Door) -> None:
    door.write(SHOP[: SHOP.index("[dns]")])
    told = door.invoke("dns.check")
    assert told.code == 1
    assert "has no [dns] table" in told.err


@pytest.mark.parametrize(("sees", "code"), [(True, 0), (False, 2)])
def test_a_check_asks_the_resolvers_named_and_tells_whether_they_see_it(
    up: Door,
    mock_cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    sees: bool,
    code: int,
) -> None:
    target = mock_cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"][0]["DNSName"].lower()
    asked: list[str] = []

    def ask(server: str, name: str) -> Answer:
        asked.append(server)
        names = (target,) if sees or server != "192.0.2.54" else ("old.elb.test",)
        return Answer(server, names, ("10.0.0.9",), 30)

    monkeypatch.setattr(dns_check.until_agreed, "__defaults__", (ask, clock))
    told = up.invoke("dns.check", "--resolver=192.0.2.53", "--resolver=192.0.2.54", "--wait=0", "--json")
    assert told.code == code
    assert told.document["agreed"] is sees
    assert [one["sees_it"] for one in told.document["resolvers"]] == [True, sees]
    assert {"192.0.2.53", "192.0.2.54"} == set(asked)


def test_a_jre_is_asked_without_a_resolver(door: Door, tmp_path: Path) -> None:
    settings = tmp_path / "java.security"
    settings.write_text("networkaddress.cache.ttl=-1\n")
    told = door.invoke("dns.check", f"--jvm={settings}")
    assert told.code == 2
    assert "trap" in told.out


# --- fleet.size ---


def test_a_size_is_told_with_its_sum(door: Door) -> None:
    told = door.invoke("fleet.size", "--rps=300", "--hit-ratio=0.9", "--type=c5.xlarge", "--zones=3")
    assert told.code == 0
    assert "busy cores = 300/s" in told.out
    assert "/ 4 cores, rounded up" in told.out
    document = door.invoke("fleet.size", "--rps=300", "--hit-ratio=0.9", "--json").document
    assert document["nodes"] >= document["nodes_without_spare"] >= 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [("--type=z9.huge", "no instance type 'z9.huge'"), ("--hit-ratio=1.5", "a hit ratio of 1.5 cannot be")],
)
def test_a_size_of_what_cannot_be_is_refused(door: Door, argv: str, said: str) -> None:
    told = door.invoke("fleet.size", argv)
    assert told.code == 1
    assert said in told.err
