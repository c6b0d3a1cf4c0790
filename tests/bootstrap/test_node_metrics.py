"""Figures of a node: what its access log tells, and how they are sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from bootstrap import metrics
from bootstrap.serving import AccessLog
from bootstrap.web import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
TIMER = "node-metrics.timer"


def line(path: str = "/small/cat.jpg", micros: int = 1000) -> str:
    return f'{{"path":"{path}","status":200,"us":{micros},"state":"apache"}}\n'


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    (tmp_path / "access.log").write_text(line())
    return AccessLog(tmp_path / "access.log", tmp_path / "run" / "served.json", "/health")


def append(log: AccessLog, *lines: str) -> None:
    with log.path.open("a") as file:
        file.writelines(lines)


# --- what is served ---


def test_requests_are_counted_from_one_look_to_the_next(log: AccessLog) -> None:
    assert log.served(100) is None
    append(log, *(line() for _ in range(30)))
    first = log.served(110)
    assert first
    assert first.per_second == 3
    second = log.served(120)
    assert second
    assert second.per_second == 0


def test_what_they_took_is_known_to_a_tenth_in_few_different_values(log: AccessLog) -> None:
    log.served(0)
    append(log, *(line(micros=micros) for micros in range(100, 30_000_000, 9973)))
    found = log.served(1)
    assert found
    assert len(found.latencies) <= 150
    assert max(found.latencies) == pytest.approx(30, rel=0.11)


def test_health_checks_are_nobodys_requests_and_other_lines_are_none(log: AccessLog) -> None:
    log.served(0)
    append(log, line("/health"), "no JSON\n", line("/health.jpg"))
    found = log.served(1)
    assert found
    assert found.latencies.total() == 1


def test_what_a_client_says_is_taken_for_its_path_alone(log: AccessLog) -> None:
    log.served(0)
    append(log, line(r"/x\",\"us\":7,\"", micros=2_000_000))
    found = log.served(1)
    assert found
    assert list(found.latencies.elements()) == pytest.approx([2], rel=0.11)


def test_a_line_that_is_being_written_counts_when_it_is_whole(log: AccessLog) -> None:
    log.served(0)
    append(log, line(), line()[:20])
    first = log.served(1)
    append(log, line()[20:])
    second = log.served(2)
    assert [one.latencies.total() for one in (first, second) if one] == [1, 1]


def test_a_rotated_log_is_read_to_its_end(log: AccessLog) -> None:
    log.served(0)
    append(log, line())
    log.path.rename(log.path.with_name("access.log.1"))
    append(log, line(), line())
    found = log.served(1)
    assert found
    assert found.latencies.total() == 3


@pytest.mark.parametrize("kept", ["", "[]", '{"at": 1}', '{"inode": 1, "offset": 0, "at": 900}'])
def test_what_was_kept_by_something_else_or_later_begins_anew(log: AccessLog, kept: str) -> None:
    log.kept.parent.mkdir()
    log.kept.write_text(kept)
    assert log.served(100) is None
    assert log.served(101)


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    assert AccessLog(tmp_path / "none.log", tmp_path / "kept").served(1) is None


# --- how it is sent ---


@pytest.fixture
def sent(stage: Any, tmp_path: Path) -> Callable[..., dict[str, str]]:
    def send(**inputs: str) -> dict[str, str]:
        bodies: list[bytes] = []
        act = stage.act(METRICS_NAMESPACE="web", ACCESS_LOG=str(tmp_path / "access.log"), **KEYS, **inputs)
        object.__setattr__(act, "ask", lambda *request: bodies.append(request[4]) or Answer(200, "<R/>"))
        metrics.send(act, tmp_path / "served.json")
        (body,) = bodies
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}

    return send


def names_and_dimensions(form: dict[str, str]) -> set[tuple[str, ...]]:
    found = set()
    for number in range(1, 20):
        here = f"MetricData.member.{number}"
        if f"{here}.MetricName" in form:
            of = [form.get(f"{here}.Dimensions.member.{one}.Name", "") for one in (1, 2)]
            found.add((form[f"{here}.MetricName"], *filter(None, of)))
    return found


def test_one_call_tells_of_the_node_and_for_its_deployment(
    sent: Callable[..., dict[str, str]], stage: Any, log: AccessLog
) -> None:
    sent()
    append(log, line(), line(), line(micros=500_000))
    stage.clock.sleep(10)
    form = sent(DEPLOYMENT="shop")
    figures = ("LoadAverage1", "RequestsPerSecond", "Latency")
    assert form["Namespace"] == "web"
    assert names_and_dimensions(form) == {
        *((one, "Deployment", "InstanceId") for one in figures),
        *((one, "Deployment") for one in figures),
    }
    assert form["MetricData.member.2.Values.member.1"] == "0.3"
    counts = {form[f"MetricData.member.3.Counts.member.{one}"] for one in (1, 2)}
    assert counts == {"1", "2"}


def test_a_node_of_no_deployment_tells_of_itself(sent: Callable[..., dict[str, str]]) -> None:
    form = sent()
    assert names_and_dimensions(form) == {("LoadAverage1", "InstanceId")}
    assert form["MetricData.member.1.Dimensions.member.1.Value"] == "i-0123456789abcdef0"


def test_a_log_that_cannot_be_read_costs_no_load(
    sent: Callable[..., dict[str, str]], stage: Any, log: AccessLog
) -> None:
    sent()
    stage.clock.sleep(10)
    log.path.unlink()
    log.path.mkdir()
    assert names_and_dimensions(sent()) == {("LoadAverage1", "InstanceId")}
    assert "requests are not counted" in stage.said[-1]


# --- by which timer ---


@pytest.mark.parametrize(
    ("namespace", "state", "ran"),
    [
        ("web", "inactive", [f"start {TIMER}"]),
        ("web", "active", []),
        ("", "active", [f"stop {TIMER}"]),
        ("", "inactive", []),
    ],
)
def test_figures_are_sent_by_a_timer_where_there_is_a_namespace(
    stage: Any, systemd: Any, tmp_path: Path, namespace: str, state: str, ran: list[str]
) -> None:
    systemd.units[TIMER] = (state, datetime.now(UTC))
    metrics.keep_sending(stage.act(METRICS_NAMESPACE=namespace), tmp_path / "pace.conf")
    assert systemd.ran == ran


def test_another_pace_is_set_once_and_taken_back(stage: Any, systemd: Any, tmp_path: Path) -> None:
    systemd.units[TIMER] = ("active", datetime.now(UTC))
    pace = tmp_path / "node-metrics.timer.d" / "pace.conf"
    for seconds in ("5", "5", "60"):
        metrics.keep_sending(stage.act(METRICS_NAMESPACE="web", METRICS_SECONDS=seconds), pace)
        assert f"OnUnitActiveSec={seconds}s\n" in pace.read_text()
    assert stage.notes == [f"{TIMER}: every 5 s", f"{TIMER}: every 60 s"]
    assert systemd.ran.count(f"restart {TIMER}") == 2


def test_a_dry_run_sets_no_pace(stage: Any, systemd: Any, tmp_path: Path) -> None:
    systemd.units[TIMER] = ("inactive", datetime.now(UTC))
    act = stage.act(METRICS_NAMESPACE="web", METRICS_SECONDS="5", BOOTSTRAP_DRY_RUN="1")
    metrics.keep_sending(act, tmp_path / "pace.conf")
    assert not (tmp_path / "pace.conf").exists()
    assert stage.notes == [f"{TIMER}: every 5 s", f"started {TIMER}"]
