"""Names: the question as it travels, whom it is put to, and when all agree."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.dns_check import of_this_computer, resolvers, until_agreed
from fleet.dns_question import Answer, answer, ask, question
from fleet.names_in_route53 import Record

if TYPE_CHECKING:
    from moto_fixture import FakeClock

    from aws.session import Cloud

RECORD = Record("cname", "front.elb.test", 30)
SEES = Answer("", names=("front.elb.test",), addresses=("10.0.0.9",), ttl_seconds=30)


def _name(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"


def _reply(number: int = 7, code: int = 0) -> bytes:
    """img.shop.test is a CNAME of front.elb.test, kept for 30 s, which is 10.0.0.9, kept for 60 s."""
    asked = _name("img.shop.test") + struct.pack("!2H", 1, 1)
    target = _name("front.elb.test")
    cname = b"\xc0\x0c" + struct.pack("!2HIH", 5, 1, 30, len(target)) + target
    at = 12 + len(asked) + 12
    address = (
        struct.pack("!H", 0xC000 | at) + struct.pack("!2HIH", 1, 1, 60, 4) + IPv4Address("10.0.0.9").packed
    )
    return struct.pack("!6H", number, 0x8180 | code, 1, 2, 0, 0) + asked + cname + address


def test_an_answer_tells_the_way_the_addresses_and_the_shortest_time() -> None:
    told = answer("192.0.2.1", 7, _reply())
    assert told == Answer("192.0.2.1", ("front.elb.test",), ("10.0.0.9",), 30)


def test_a_question_holds_the_name() -> None:
    assert question(7, "img.shop.test")[12:] == _name("img.shop.test") + b"\0\1\0\1"


@pytest.mark.parametrize(("code", "said"), [(3, "no such name"), (2, "server failure"), (9, "code 9")])
def test_a_refusal_is_told_in_words(code: int, said: str) -> None:
    assert answer("192.0.2.1", 7, _reply(code=code)).failure == said


def test_an_answer_to_another_question_is_none() -> None:
    with pytest.raises(ValueError, match="another question"):
        answer("192.0.2.1", 8, _reply())


def test_a_name_that_leads_in_a_circle_is_no_answer() -> None:
    packet = struct.pack("!6H", 7, 0x8180, 0, 1, 0, 0) + b"\xc0\x0c"
    with pytest.raises(ValueError, match="circle"):
        answer("192.0.2.1", 7, packet)


@given(st.binary(max_size=80))
def test_no_packet_is_answered_by_anything_but_an_answer_or_a_refusal(noise: bytes) -> None:
    with suppress(ValueError):
        assert answer("192.0.2.1", 7, struct.pack("!H", 7) + noise).server == "192.0.2.1"


class Resolvers:
    """Answer as told, one look after the other; the last answer stays."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers

    def __call__(self, server: str, name: str) -> Answer:
        if name == RECORD.target:
            return Answer(server, addresses=("10.0.0.9",))
        left = self.answers[server]
        return left.pop(0) if len(left) > 1 else left[0]


def test_it_is_asked_until_all_see_it(clock: FakeClock) -> None:
    asking = Resolvers(near=[SEES], far=[Answer("", failure="no such name"), Answer("", failure="x"), SEES])
    seen = until_agreed("img.shop.test", RECORD, ["near", "far"], 60, asking, clock)
    assert not seen.degraded
    assert seen.document()["agreed"] is True
    assert len(clock.slept) == 2


def test_a_resolver_that_keeps_the_old_one_is_named_when_patience_ends(clock: FakeClock) -> None:
    old = Answer("far", names=("old.elb.test",), addresses=("10.0.0.1",), ttl_seconds=300)
    asking = Resolvers(near=[SEES], far=[old])
    seen = until_agreed("img.shop.test", RECORD, ["near", "far"], 10, asking, clock)
    assert seen.degraded
    assert [one["sees_it"] for one in seen.document()["resolvers"]] == [True, False]


def test_an_alias_is_seen_by_the_load_balancers_addresses(clock: FakeClock) -> None:
    moved = Answer("near", addresses=("10.0.0.1",))
    alias = Record("alias", RECORD.target)
    assert until_agreed("shop.test", alias, ["near"], 0, Resolvers(near=[moved]), clock).degraded
    assert not until_agreed("shop.test", alias, ["near"], 0, Resolvers(near=[SEES]), clock).degraded


def test_a_vpcs_resolver_that_answers_here_is_the_one_to_ask(mock_cloud: Cloud) -> None:
    def asking(server: str, _: str) -> Answer:
        return Answer(server, failure="no such name")

    assert resolvers(mock_cloud, "10.9.0.0/16", "Z", asking) == ("10.9.0.2",)


def test_else_those_of_the_zone_and_of_this_computer_are_asked(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = mock_cloud.route53.create_hosted_zone(Name="shop.test", CallerReference="1")["HostedZone"]["Id"]
    monkeypatch.setattr("fleet.dns_check._addresses", lambda server: [f"addr-of-{server.split('.')[0]}"])
    monkeypatch.setattr("fleet.dns_check.of_this_computer", lambda: ("192.0.2.53",))
    asked = resolvers(mock_cloud, "10.9.0.0/16", zone, lambda server, _: Answer(server, failure="no answer"))
    assert asked[0].startswith("addr-of-ns-")
    assert asked[-1] == "192.0.2.53"


def test_this_computers_resolvers_are_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("search shop.test\nnameserver 192.0.2.53\nnameserver fe80::1\n# nameserver 192.0.2.54\n")
    assert of_this_computer(file) == ("192.0.2.53",)
    assert of_this_computer(tmp_path / "none") == ()


def test_a_server_that_is_silent_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def settimeout(self, _: float) -> None: ...
        def connect(self, _: object) -> None: ...
        def send(self, _: bytes) -> None: ...
        def recv(self, _: int) -> bytes:
            raise TimeoutError

    monkeypatch.setattr("fleet.dns_question.socket.socket", Silent)
    assert ask("192.0.2.1", "img.shop.test").failure == "no answer"
