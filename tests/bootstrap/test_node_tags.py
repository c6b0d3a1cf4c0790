from __future__ import annotations

from typing import Any

import pytest

from bootstrap.instance_tags import in_background, publisher, tags
from bootstrap.metadata import Identity
from bootstrap.state import State

OPERATIONAL = State("operational", "2026-01-02T03:04:05.000+00:00")


class Client:
    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def create_tags(self, **call: Any) -> None:
        self.calls.append(call)


def test_a_state_is_two_tags() -> None:
    assert tags(OPERATIONAL) == [
        {"Key": "bootstrap:state", "Value": "operational"},
        {"Key": "bootstrap:reason", "Value": ""},
    ]


def test_a_reason_fits_a_tag() -> None:
    reason = tags(State("stranded", "", reason="two\nlines " + "x" * 300))[1]["Value"]
    assert reason.startswith("two lines x")
    assert len(reason) == 256


def test_the_client_is_made_once_for_the_instances_region() -> None:
    client = Client()
    regions: list[str] = []

    def new_client(region: str) -> Client:
        regions.append(region)
        return client

    publish = publisher(Identity("i-1", "eu-west-1"), new_client)
    assert regions == []
    publish(OPERATIONAL)
    publish(OPERATIONAL)
    assert regions == ["eu-west-1"]
    assert [call["Resources"] for call in client.calls] == [["i-1"], ["i-1"]]


def test_states_are_published_in_order_before_the_end() -> None:
    sent: list[str] = []
    with in_background(lambda state: sent.append(state.state), pytest.fail) as later:
        later(State("booting", ""))
        later(OPERATIONAL)
    assert sent == ["booting", "operational"]


def test_a_failing_tag_is_said_and_never_raised() -> None:
    said: list[str] = []

    def refuse(state: State) -> None:
        raise RuntimeError("no credentials")

    with in_background(refuse, said.append) as later:
        later(OPERATIONAL)
    assert said == ["tags: not set: no credentials"]


def test_what_was_published_is_sent_even_when_the_work_fails() -> None:
    sent: list[State] = []

    def work() -> None:
        with in_background(sent.append, pytest.fail) as later:
            later(OPERATIONAL)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert sent == [OPERATIONAL]
