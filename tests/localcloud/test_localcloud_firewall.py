from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from localcloud.firewall import Firewall, Group, Member, Rule, ruleset

ROUTER = (IPv4Address("10.0.0.1"), IPv4Address("169.254.169.254"))
EVERYWHERE = "0.0.0.0/0"
GOLDEN = Path(__file__).with_name("golden")

WEB = Group(
    "sg-web",
    ingress=(
        Rule("tcp", 80, 80, cidr=EVERYWHERE),
        Rule("tcp", 8000, 8080, group="sg-lb"),
        Rule("icmp", 8, -1, cidr="10.9.0.0/16"),
    ),
    egress=(Rule("-1", cidr=EVERYWHERE),),
)
BALANCER = Group("sg-lb", ingress=(Rule("udp", 0, 65535, cidr="192.0.2.7/32"),))
MACHINES = (
    Member("i-1", IPv4Address("10.0.0.11"), ("sg-web",)),
    Member("i-2", IPv4Address("10.0.0.12"), ("sg-lb", "sg-web")),
    Member("i-3", IPv4Address("10.0.0.13"), ()),
)


def chain(rules: str, name: str) -> list[str]:
    lines = rules.splitlines()
    start = lines.index(f"chain {name} {{") + 1
    return lines[start : lines.index("}", start)]


def let_in(*rules: Rule) -> list[str]:
    return chain(ruleset((), (Group("sg-x", ingress=rules), Group("sg-y")), ROUTER), "in_sg_x")


def test_the_whole_ruleset_is_the_golden_one() -> None:
    assert ruleset(MACHINES, (WEB, BALANCER), ROUTER) == (GOLDEN / "firewall.nft").read_text()


def test_the_order_in_which_ec2_lists_things_changes_nothing() -> None:
    assert ruleset(MACHINES, (WEB, BALANCER), ROUTER) == ruleset(MACHINES[::-1], (BALANCER, WEB), ROUTER)


def test_new_rules_replace_the_old_ones_in_the_same_transaction() -> None:
    first, second, third, *_ = ruleset(MACHINES, (WEB,), ROUTER).splitlines()
    assert (first, second) == ("table inet firewall {}", "delete table inet firewall")
    assert third == "table inet firewall {"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("tcp", 22, 22, cidr="10.1.2.3/32"), "ip saddr 10.1.2.3/32 tcp dport 22 accept"),
        (Rule("tcp", 0, 65535, cidr=EVERYWHERE), "meta l4proto tcp accept"),
        (Rule("udp", 53, 60, cidr="10.1.2.3/8"), "ip saddr 10.0.0.0/8 udp dport 53-60 accept"),
        (Rule("icmp", -1, -1, cidr=EVERYWHERE), "meta l4proto icmp accept"),
        (Rule("icmp", 3, 4, cidr=EVERYWHERE), "icmp type 3 icmp code 4 accept"),
        (Rule("50", cidr=EVERYWHERE), "meta l4proto 50 accept"),
        (Rule("-1", cidr=EVERYWHERE), "accept"),
        (Rule("-1", group="sg-y"), "ip saddr @sg_y accept"),
    ],
)
def test_a_rule_lets_in_what_it_names(rule: Rule, expected: str) -> None:
    assert let_in(rule) == [expected]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("tcp", 22, 22),
        Rule("tcp", 22, 22, cidr="2001:db8::/32"),
        Rule("tcp", 22, 22, group="sg-gone"),
        Rule("58", 1, 1, cidr="::/0"),
        Rule("tcp dport 1-65535 accept #", 1, 1, cidr=EVERYWHERE),
    ],
    ids=["a prefix list", "IPv6", "a group that is gone", "ICMP of IPv6", "no protocol"],
)
def test_a_rule_that_names_nothing_here_lets_nothing_in(rule: Rule) -> None:
    assert let_in(rule) == []


def test_a_machine_without_groups_receives_and_sends_nothing() -> None:
    rules = ruleset(MACHINES, (WEB,), ROUTER)
    assert chain(rules, "to_i_3") == chain(rules, "from_i_3") == ["drop"]


def test_what_leaves_one_machine_must_still_be_let_in_by_the_other() -> None:
    assert chain(ruleset(MACHINES, (WEB,), ROUTER), "out_sg_web") == ["goto arriving"]


def test_an_address_that_belongs_to_no_member_is_not_reached_among_the_machines() -> None:
    assert chain(ruleset((), (), ROUTER), "arriving") == ['oifname "m-*" drop', "accept"]
    assert chain(ruleset((), (), ROUTER), "leaving") == ["drop"]


def test_the_rules_are_loaded_only_when_they_change() -> None:
    loaded: list[str] = []
    firewall = Firewall(loaded.append, ROUTER)
    assert firewall.refresh(MACHINES, (WEB,))
    assert not firewall.refresh(MACHINES, (WEB,))
    assert firewall.refresh(MACHINES[:1], (WEB,))
    assert len(loaded) == 2


def test_rules_that_could_not_be_loaded_are_tried_again() -> None:
    answers = iter([OSError("no nft"), None])

    def load(_: str) -> None:
        answer = next(answers)
        if answer:
            raise answer

    firewall = Firewall(load, ROUTER)
    with pytest.raises(OSError, match="no nft"):
        firewall.refresh(MACHINES, (WEB,))
    assert firewall.refresh(MACHINES, (WEB,))
