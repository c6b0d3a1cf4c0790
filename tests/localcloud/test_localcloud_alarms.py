"""Alarms and scaling policies, as tables of numbers."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.alarms import ALARM, INSUFFICIENT, OK, Rule, judge
from localcloud.tracking import Capacity, Step, adjusted, stepped, tracked

NOW = 600.0  # five periods of a minute are over, from 300 on, with two of them extra for three


def samples(drawn: str) -> dict[float, float]:
    """`X` is a breaching period, `0` a good one, `-` one without data; the last one ends now."""
    begin = NOW - 60 * len(drawn)
    values = {"X": 90.0, "0": 10.0}
    return {begin + 60 * n: values[one] for n, one in enumerate(drawn) if one != "-"}


def rule(**more: Any) -> Rule:
    return Rule(
        **{"comparison": "GreaterThanThreshold", "threshold": 50.0, "periods": 3, "needed": 3, **more}
    )


# CloudWatch's own table: drawn, then the state for missing, ignore, breaching and notBreaching.
@pytest.mark.parametrize(
    ("drawn", "states"),
    [
        ("0-X-X", (OK, OK, OK, OK)),
        ("0----", (OK, "before", OK, OK)),
        ("-----", (INSUFFICIENT, "before", ALARM, OK)),
        ("0XX-X", (ALARM, ALARM, ALARM, ALARM)),
        ("--X--", (ALARM, "before", ALARM, OK)),
    ],
)
def test_three_of_three_follow_cloudwatchs_table(drawn: str, states: tuple[str, ...]) -> None:
    for missing, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        verdict = judge(rule(missing=missing), samples(drawn), "before", NOW)
        assert (missing, verdict.state) == (missing, state)


@pytest.mark.parametrize(
    ("drawn", "states"),
    [
        ("0-X-X", (ALARM, ALARM, ALARM, ALARM)),
        ("00X0X", (ALARM, ALARM, ALARM, ALARM)),
        ("0-X--", (OK, "before", ALARM, OK)),
        ("-----", (INSUFFICIENT, "before", ALARM, OK)),
        ("00000", (OK, OK, OK, OK)),
        ("----X", (ALARM, "before", ALARM, OK)),
    ],
)
def test_two_of_three_follow_cloudwatchs_table(drawn: str, states: tuple[str, ...]) -> None:
    for missing, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        verdict = judge(rule(missing=missing, needed=2), samples(drawn), "before", NOW)
        assert (missing, verdict.state) == (missing, state)


def test_a_period_that_is_not_over_does_not_count() -> None:
    late = {**samples("000"), NOW: 90.0}
    assert judge(rule(periods=1, needed=1), late, OK, NOW + 30).state == OK
    assert judge(rule(periods=1, needed=1), late, OK, NOW + 60).state == ALARM


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanThreshold", 50.0, OK),
        ("GreaterThanOrEqualToThreshold", 50.0, ALARM),
        ("LessThanThreshold", 50.0, OK),
        ("LessThanThreshold", 49.0, ALARM),
        ("LessThanOrEqualToThreshold", 50.0, ALARM),
    ],
)
def test_comparisons_are_heeded(comparison: str, value: float, state: str) -> None:
    wanted = rule(comparison=comparison, periods=1, needed=1)
    assert judge(wanted, {NOW - 60: value}, OK, NOW).state == state


@pytest.mark.parametrize(
    ("drawn", "more", "reason"),
    [
        (
            "XXX",
            {},
            (
                "Threshold Crossed: 3 datapoints [90.0 (01/01/70 00:09:00), 90.0 (01/01/70 00:08:00), 90.0"
                " (01/01/70 00:07:00)] were greater than the threshold (50.0)."
            ),
        ),
        (
            "0",
            {"periods": 1, "needed": 1},
            (
                "Threshold Crossed: 1 datapoint [10.0 (01/01/70 00:09:00)] was not greater than the threshold"
                " (50.0)."
            ),
        ),
        (
            "X0X",
            {"needed": 2},
            (
                "Threshold Crossed: 2 out of the last 3 datapoints [90.0 (01/01/70 00:09:00), 90.0 (01/01/70"
                " 00:07:00)] were greater than the threshold (50.0)."
            ),
        ),
        ("---", {}, "Insufficient Data: 3 datapoints were unknown."),
        (
            "---",
            {"missing": "breaching"},
            (
                "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were"
                " treated as [Breaching]."
            ),
        ),
    ],
)
def test_reasons_are_told_in_cloudwatchs_words(drawn: str, more: dict[str, Any], reason: str) -> None:
    assert judge(rule(**more), samples(drawn), OK, NOW).reason == reason


@pytest.mark.parametrize(
    ("ready", "warming", "value", "scale_in", "wanted"),
    [
        (2, 0, 90.0, False, 4),  # 2 at 90 % are 3.6 at 50 %
        (2, 0, 50.0, False, 2),
        (2, 0, 1000.0, False, 10),  # never beyond the maximum
        (2, 2, 90.0, False, 4),  # those warming up are what was asked for
        (2, 2, 120.0, False, 5),  # more is needed than that
        (4, 0, 20.0, True, 2),
        (4, 0, 49.0, True, 4),
        (4, 0, 0.0, True, 1),  # never below the minimum
        (3, 1, 0.0, True, 4),  # nobody leaves while somebody arrives
        (4, 0, 20.0, False, 4),  # the high alarm never shrinks
        (4, 0, 90.0, True, 4),  # the low alarm never grows
    ],
)
def test_a_target_is_tracked(ready: int, warming: int, value: float, scale_in: bool, wanted: int) -> None:
    capacity = Capacity(ready + warming, 1, 10, ready, warming)
    assert tracked(capacity, value, 50.0, scale_in=scale_in) == wanted


@pytest.mark.parametrize(("beyond", "wanted"), [(-1, 4), (0, 5), (9.9, 5), (10, 6), (25, 6), (1000, 6)])
def test_steps_up_begin_at_their_lower_bound(beyond: float, wanted: int) -> None:
    steps = [Step(1, 0, 10), Step(2, 10)]
    assert stepped(Capacity(4, 1, 10, 4), steps, beyond, "ChangeInCapacity") == wanted


@pytest.mark.parametrize(("beyond", "wanted"), [(0, 4), (-0.1, 3), (-10, 2), (-50, 2)])
def test_steps_down_begin_at_their_upper_bound(beyond: float, wanted: int) -> None:
    steps = [Step(-1, -10, 0), Step(-2, high=-10)]
    assert stepped(Capacity(4, 1, 10, 4), steps, beyond, "ChangeInCapacity") == wanted


def test_a_step_up_counts_what_is_warming_up() -> None:
    steps = [Step(2, 0)]
    assert stepped(Capacity(6, 1, 10, 4, 2), steps, 5, "ChangeInCapacity") == 6
    assert stepped(Capacity(5, 1, 10, 4, 1), steps, 5, "ChangeInCapacity") == 6


def test_a_step_down_waits_for_what_is_warming_up() -> None:
    assert stepped(Capacity(6, 1, 10, 4, 2), [Step(-1, high=0)], -5, "ChangeInCapacity") == 6


@pytest.mark.parametrize(
    ("size", "change", "kind", "least", "wanted"),
    [
        (4, 2, "ChangeInCapacity", None, 6),
        (4, -1, "ChangeInCapacity", None, 3),
        (4, 7, "ExactCapacity", None, 7),
        (10, 12, "PercentChangeInCapacity", None, 11),
        (4, 10, "PercentChangeInCapacity", None, 5),  # 0.4 is one
        (4, -10, "PercentChangeInCapacity", None, 3),
        (10, -19, "PercentChangeInCapacity", None, 9),  # 1.9 is one
        (10, 27, "PercentChangeInCapacity", None, 12),
        (10, 10, "PercentChangeInCapacity", 3, 13),
        (10, -10, "PercentChangeInCapacity", 3, 7),
        (0, 50, "PercentChangeInCapacity", None, 0),
    ],
)
def test_adjustments_are_rounded_as_aws_does(
    size: int, change: int, kind: str, least: int | None, wanted: int
) -> None:
    assert adjusted(size, change, kind, least) == wanted
