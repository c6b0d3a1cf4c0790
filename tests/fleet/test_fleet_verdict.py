from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fleet.verdict import Limits, Traffic, faults, worse

BEFORE = Traffic(requests=1000, errors=1, p99_seconds=0.2)


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        Traffic(0, 0),
        Traffic(1000, 10, 0.39),
        Traffic(5, 0, 30.0),
        Traffic(1000, 0, None),
    ],
)
def test_as_well_as_before_is_well(after: Traffic) -> None:
    assert list(faults(BEFORE, after, Limits())) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (Traffic(1000, 12, 0.2), r"12 of 1000 requests failed \(1\.2%, before 0\.1%\)"),
        (Traffic(3, 3, None), "3 of 3 requests failed"),
        (Traffic(1000, 0, 0.5), r"the 99th percentile is 0\.50 s, before 0\.20 s"),
    ],
)
def test_what_is_worse_is_said(after: Traffic, said: str) -> None:
    import re

    (found,) = faults(BEFORE, after, Limits())
    assert re.search(said, found)


def test_a_small_latency_may_become_many_times_as_long() -> None:
    assert not list(faults(Traffic(100, 0, 0.001), Traffic(100, 0, 0.2), Limits()))


def test_where_nothing_is_known_of_before_the_floor_holds() -> None:
    assert list(faults(Traffic(0, 0), Traffic(100, 0, 0.3), Limits())) != []


def test_a_canary_among_many_is_judged_by_its_own_share() -> None:
    before, after = Traffic(1000, 0, 0.1), Traffic(12100, 95, 0.1)
    assert not list(faults(before, after, Limits.of_share(1 / 2)))
    assert list(faults(before, after, Limits.of_share(1 / 121)))


SINCE = datetime(2026, 11, 23, 12, 0, 50, tzinfo=UTC)
MIXED, ALONE = SINCE - timedelta(seconds=50), SINCE + timedelta(seconds=10)


def test_what_went_through_in_the_minute_before_new_nodes_came_does_not_hide_their_errors() -> None:
    minutes = {MIXED: Traffic(100_000, 0, 0.1), ALONE: Traffic(1000, 100, 0.1)}
    (said,) = worse(BEFORE, minutes, SINCE, Limits())
    assert said.startswith("100 of 1000 requests failed")


def test_errors_of_the_minute_in_which_new_nodes_came_count() -> None:
    minutes = {MIXED: Traffic(1000, 100, 0.1), ALONE: Traffic(1000, 0, 0.1)}
    (said,) = worse(BEFORE, minutes, SINCE, Limits())
    assert said.startswith("100 of 2000 requests failed")


def test_a_minute_that_has_hardly_begun_is_not_judged_alone() -> None:
    minutes = {MIXED: Traffic(1000, 0, 0.1), ALONE: Traffic(5, 1, 30.0)}
    assert worse(BEFORE, {MIXED: minutes[MIXED]}, SINCE, Limits()) == []
    assert worse(Traffic(1000, 0, 20.0), minutes, SINCE, Limits()) == []
