"""Logs of a node: what of its journal and of Apache's error log is shipped, how, and from where on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap import logs, metrics
from bootstrap.errors import ServiceError
from bootstrap.flushing import flush
from bootstrap.log_event import Event, batches, of_error_log, of_journal
from bootstrap.web import Answer

if TYPE_CHECKING:
    from bootstrap.act import Act

ME = "i-0123456789abcdef0"
NOW = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp() * 1000)
DAY = 24 * 3600 * 1000
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://aws.test"}


def entry(message: Any, *, at: int = NOW, **more: str) -> dict[str, Any]:
    return {"__CURSOR": "c", "__REALTIME_TIMESTAMP": str(at * 1000), "MESSAGE": message, **more}


def stamp(at: int) -> str:
    """As Apache writes it, in the time zone of the node."""
    local = datetime.fromtimestamp(at / 1000).astimezone()
    return f"[{local:%a %b %d %H:%M:%S.%f %Y}]"


# --- what is shipped ---


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ({"_SYSTEMD_UNIT": "node-bootstrap.service", "SYSLOG_IDENTIFIER": "node"}, "node: x"),
        ({"_SYSTEMD_UNIT": "resizer-render.service", "PRIORITY": "6"}, "resizer-render.service: x"),
        ({"UNIT": "apache2.service", "SYSLOG_IDENTIFIER": "systemd"}, "systemd: x"),
        ({"SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "4"}, "kernel: x"),
    ],
)  # fmt: skip
def test_lines_of_our_units_are_shipped_and_warnings_of_all(shown: dict[str, str], text: str) -> None:
    assert of_journal(entry("x", **shown)) == Event(NOW, text)


@pytest.mark.parametrize(
    "shown",
    [
        {"_SYSTEMD_UNIT": "ssh.service"},
        {"_SYSTEMD_UNIT": "node-metrics.service", "PRIORITY": "6"},
        {"SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "5"},
    ],
)
def test_what_is_of_others_and_no_warning_stays_on_the_node(shown: dict[str, str]) -> None:
    assert of_journal(entry("x", **shown)) is None


@pytest.mark.parametrize("message", ["", " ", None, []])
def test_an_empty_line_is_none(message: Any) -> None:
    assert of_journal(entry(message, PRIORITY="3")) is None


def test_bytes_that_are_no_text_and_texts_that_are_too_long_are_made_to_fit() -> None:
    odd = of_journal(entry(list(b"caf\xe9"), PRIORITY="3"))
    long = of_journal(entry("ä" * 300_000, PRIORITY="3"))
    assert odd
    assert odd.text == "journal: caf\ufffd"
    assert long
    assert 262_144 - 2 <= long.size_bytes <= 262_144


def test_a_line_of_the_error_log_has_the_time_that_apache_wrote() -> None:
    then = NOW - 61_123
    assert of_error_log(f"{stamp(then)} [core:warn] AH1: so\n", NOW, NOW) == Event(
        then, "apache2: [core:warn] AH1: so"
    )
    assert of_error_log("  no time\n", then, NOW) == Event(then, "apache2:   no time")
    assert of_error_log(f"{stamp(NOW + 5000)} ahead\n", then, NOW) == Event(NOW, "apache2: ahead")
    assert of_error_log("\n", then, NOW) is None


# --- in what batches ---


def test_events_are_put_in_the_order_of_their_time() -> None:
    (one,) = batches([Event(3, "c"), Event(1, "a"), Event(2, "b")])
    assert [event.text for event in one] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("events", "sizes"),
    [
        ([], []),
        ([Event(NOW, "x")] * 10_001, [10_000, 1]),
        ([Event(NOW, "x" * (262_144 - 26))] * 9, [4, 4, 1]),
        ([Event(NOW, "x"), Event(NOW + DAY - 1, "y"), Event(NOW + DAY, "z")], [2, 1]),
    ],
)  # fmt: skip
def test_no_batch_is_more_than_aws_takes(events: list[Event], sizes: list[int]) -> None:
    found = list(batches(events))
    assert [len(one) for one in found] == sizes
    assert all(sum(event.size_bytes for event in one) <= 1_048_576 for one in found)


# --- from where on ---


class Logged:
    """A node whose journal is a list, and CloudWatch Logs, which has no group at first."""

    def __init__(self, stage: Any, folder: Path) -> None:
        self.stage = stage
        self.kept = folder / "lib" / "shipped.json"
        self.error_log = folder / "error.log"
        self.journal: list[dict[str, Any]] = []
        self.ran: list[list[str]] = []
        self.calls: list[str] = []
        self.group = False
        self.events: list[dict[str, Any]] = []
        self.refusing = ""

    def write(self, message: str, *, at: int = NOW) -> None:
        line = entry(message, at=at, _SYSTEMD_UNIT="node-bootstrap.service")
        self.journal.append({**line, "__CURSOR": f"c{len(self.journal)}"})

    def act(self, **inputs: str) -> Act:
        told = {"LOG_GROUP": "nodes", "ERROR_LOG": str(self.error_log), **KEYS, **inputs}
        act: Act = self.stage.act(**told)
        object.__setattr__(act, "run", self._run)
        object.__setattr__(act, "ask", self._ask)
        return act

    def ship(self, **inputs: str) -> list[str]:
        """What this time sent."""
        before = len(self.events)
        logs.ship(self.act(**inputs), self.kept)
        return [str(one["message"]) for one in self.events[before:]]

    def _run(self, argv: Sequence[str]) -> str:
        self.ran.append(list(argv))
        after = [one.removeprefix("--after-cursor=c") for one in argv if one.startswith("--after-cursor=")]
        left = self.journal[int(after[0]) + 1 :] if after else self.journal
        (most,) = [int(one.removeprefix("--lines=+")) for one in argv if one.startswith("--lines=")]
        return "".join(json.dumps(one) + "\n" for one in left[:most])

    def _ask(self, method: str, url: str, seconds: float, headers: Any = None, body: bytes = b"") -> Answer:
        action = str(headers["X-Amz-Target"]).rpartition(".")[2]
        self.calls.append(action)
        if self.refusing:
            return Answer(400, json.dumps({"__type": self.refusing, "message": "no"}))
        if action == "CreateLogStream":
            self.group = True
        if action == "PutLogEvents":
            if not self.group:
                return Answer(400, '{"__type": "ResourceNotFoundException"}')
            asked = json.loads(body)
            assert (asked["logGroupName"], asked["logStreamName"]) == ("nodes", ME)
            self.events += asked["logEvents"]
        return Answer(200, "{}")


@pytest.fixture
def logged(stage: Any, tmp_path: Path) -> Logged:
    return Logged(stage, tmp_path)


def test_the_first_time_tells_of_this_boot_and_makes_the_group_and_the_stream(logged: Logged) -> None:
    logged.write("register: registered with web")
    assert logged.ship() == ["node-bootstrap.service: register: registered with web"]
    assert "--boot" in logged.ran[0]
    assert logged.calls == ["PutLogEvents", "CreateLogGroup", "CreateLogStream", "PutLogEvents"]
    assert logged.events[0]["timestamp"] == NOW


def test_the_next_time_goes_on_where_that_one_ended(logged: Logged) -> None:
    logged.write("one")
    logged.ship()
    logged.write("two")
    assert logged.ship() == ["node-bootstrap.service: two"]
    assert "--after-cursor=c0" in logged.ran[1]


def test_with_nothing_new_nobody_is_called(logged: Logged) -> None:
    logged.write("one")
    logged.ship()
    logged.calls.clear()
    logged.journal.append({**entry("of ssh", _SYSTEMD_UNIT="ssh.service"), "__CURSOR": "c1"})
    assert (logged.ship(), logged.calls) == ([], [])


def test_what_was_not_taken_is_sent_next_time_and_costs_a_line(logged: Logged) -> None:
    logged.write("one")
    logged.refusing = "AccessDeniedException"
    assert logged.ship() == []
    assert logged.stage.said == [
        "logs: not shipped, the next time will: PutLogEvents: no (AccessDeniedException)"
    ]
    logged.refusing = ""
    logged.write("two")
    assert logged.ship() == ["node-bootstrap.service: one", "node-bootstrap.service: two"]


def test_aws_that_does_not_answer_is_given_up_in_seconds(logged: Logged) -> None:
    logged.write("one")
    logged.refusing = "ThrottlingException"
    logged.ship()
    assert logged.stage.clock.elapsed <= 20
    assert "not shipped" in logged.stage.said[-1]


def test_a_journal_that_cannot_be_read_costs_a_line(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Sequence[str]) -> str:
        raise ServiceError("journalctl: exit 1")

    monkeypatch.setattr(logged, "_run", broken)
    assert logged.ship() == []
    assert "journalctl: exit 1" in logged.stage.said[-1]


def test_without_a_group_nothing_is_read(logged: Logged) -> None:
    logged.write("one")
    assert (logged.ship(LOG_GROUP=""), logged.ran) == ([], [])


def test_what_another_instance_has_shipped_is_no_place_of_ours(logged: Logged) -> None:
    logged.write("one")
    logged.ship()
    logged.kept.write_text(logged.kept.read_text().replace(ME, "i-0fedcba9876543210"))
    assert logged.ship() == ["node-bootstrap.service: one"]


def test_more_than_one_look_takes_is_shipped_too(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_LINES", 2)
    monkeypatch.setattr(logs, "_MOST_BYTES", 30)
    for number in range(5):
        logged.write(str(number), at=NOW - 1000)
    logged.error_log.write_text("".join(f"{stamp(NOW)} {number}\n" for number in range(5)))
    sent = logged.ship()
    assert [one[-1] for one in sent if one.startswith("node")] == list("01234")
    assert [one[-1] for one in sent if one.startswith("apache")] == list("01234")


# --- of Apache ---


def test_the_error_log_is_shipped_from_this_boot_on_in_the_order_of_time(logged: Logged) -> None:
    logged.write("first", at=NOW - 3000)
    logged.write("third", at=NOW - 1000)
    old, new = f"{stamp(NOW - 9000)} of another node\n", f"{stamp(NOW - 2000)} second\n"
    logged.error_log.write_text(old + new + f"{stamp(NOW)} being writ")
    told = ["node-bootstrap.service: first", "apache2: second", "node-bootstrap.service: third"]
    assert logged.ship() == told
    with logged.error_log.open("a") as file:
        file.write("ten\n")
    assert logged.ship() == ["apache2: being written"]


def test_a_rotated_error_log_is_shipped_to_its_end(logged: Logged) -> None:
    logged.write("boot", at=NOW - 5000)
    logged.error_log.write_text(f"{stamp(NOW)} one\n")
    logged.ship()
    with logged.error_log.open("a") as file:
        file.write(f"{stamp(NOW)} two\n")
    logged.error_log.rename(logged.error_log.with_name("error.log.1"))
    logged.error_log.write_text(f"{stamp(NOW)} three\n")
    assert logged.ship() == ["apache2: two", "apache2: three"]


# --- by whom ---


def test_leaving_ships_the_last_lines_and_says_what_was_not_sent(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped: list[str] = []
    monkeypatch.setattr(metrics, "ship", lambda _: shipped.append("last lines"))
    logged.write("deregister: left web")
    logged.refusing = "AccessDenied"
    act = logged.act(METRICS_NAMESPACE="web")
    object.__setattr__(act, "run", lambda argv: shipped.append(" ".join(argv)))
    object.__setattr__(act, "ask", lambda *_: Answer(403, "<R><Code>AccessDenied</Code></R>"))
    flush(act)
    assert shipped == ["journalctl --sync", "last lines"]
    assert "the last figures were not sent" in logged.stage.said[-1]


def test_the_timer_runs_for_logs_alone(stage: Any, systemd: Any, tmp_path: Path) -> None:
    systemd.units[metrics.TIMER] = ("inactive", datetime.now(UTC) - timedelta(days=1))
    metrics.keep_sending(stage.act(LOG_GROUP="nodes"), tmp_path / "pace.conf")
    assert systemd.ran == [f"start {metrics.TIMER}"]
