"""Roll-outs and losses of a deployment that carries traffic: on real machines, as users run them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet_shop import SERVED_SECONDS, SITE, THRESHOLD_SECONDS, Shop, shop_in_service

from fleet import lb, roll_record
from fleet.naming import Names
from fleet.service import OPERATIONAL

if TYPE_CHECKING:
    from cloud_fixture import Desk

pytestmark = pytest.mark.machines

NAMES = Names("shop")
# What an answer of slow.toml takes at least.
SLOW_MS = 500.0
WATCH = "--watch=2"
# After a canary, all that are left at once.
PACE = ("--batch=3", WATCH)


@pytest.fixture(scope="module")
def shop(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Four nodes of the site's first release in service."""
    with shop_in_service(desk, tmp_path_factory.mktemp("state"), "shop") as made:
        yield made


def test_an_image_is_replaced_under_load_without_a_failed_request(shop: Shop) -> None:
    second, old = shop.bake("second.toml"), {one.id for one in shop.nodes}
    with shop.load() as load:
        # Until there is traffic that new nodes can be held against.
        time.sleep(6)
        began = time.monotonic()
        shop.invoke("fleet.roll", f"--image={second}", *PACE)
        ended = time.monotonic()
    before, during = load.all(until=began), load.all(since=began, until=ended)
    print(  # noqa: T201 - a figure, which is not asserted
        f"{sum(during.statuses.values())} requests in {ended - began:.0f} s, {during.failed} failed;"
        f" p99 before {before.percentile(0.99):.1f} ms, during {during.percentile(0.99):.1f} ms"
    )
    assert {one.image_id for one in shop.nodes} == {second}
    assert shop.zones == [2, 2]
    assert not old & {one.id for one in shop.nodes}
    assert load.all().failed == 0
    assert sum(during.statuses.values()) > 100


def test_an_image_that_its_health_check_refuses_is_taken_back_and_nobody_notices(shop: Shop) -> None:
    refused, old = shop.bake("refused.toml"), {one.id for one in shop.nodes}
    with shop.load() as load:
        failed = shop.invoke("fleet.roll", f"--image={refused}", WATCH, code=1)
    assert "was taken back" in failed.stderr
    assert "health check" in failed.stderr
    assert {one.id for one in shop.nodes} == old
    assert load.all().failed == 0


@pytest.mark.parametrize(
    ("spec", "watch", "why"),
    # However much of its minute is over when the canary comes, enough of it is left to tell.
    [("failing.toml", 8, "requests failed"), ("slow.toml", 20, "99th percentile")],
)
def test_an_image_that_answers_worse_than_the_one_before_is_taken_back_for_it(
    shop: Shop, spec: str, watch: int, why: str
) -> None:
    worse, old = shop.bake(spec), {one.id for one in shop.nodes}
    with shop.load() as load:
        taken_back = shop.invoke("fleet.roll", f"--image={worse}", f"--watch={watch}", code=1)
        ended = time.monotonic()
        time.sleep(SERVED_SECONDS)
    assert "was taken back" in taken_back.stderr
    assert why in taken_back.stderr
    assert {one.id for one in shop.nodes} == old
    after = load.all(since=ended)
    assert after.failed == 0
    assert after.percentile(0.99) < SLOW_MS
    assert sum(after.statuses.values()) > 100


def test_a_killed_desk_s_roll_out_is_gone_on_with_while_half_of_the_calls_are_throttled(shop: Shop) -> None:
    old = {one.id for one in shop.nodes}
    with shop.load() as load:
        roll = shop.begin("fleet.roll", *PACE)
        shop.wait("the canary", lambda: len(shop.nodes) == 5)
        roll.kill()
        roll.wait()
        assert roll_record.load(shop.desk.cloud, NAMES) is not None
        for action in ("RunInstances", "TerminateInstances", "DescribeInstances", "DescribeInstanceHealth"):
            shop.invoke("local.fault", f"--action={action}", "--count=3")
        shop.invoke("fleet.roll", "--resume")
    assert not old & {one.id for one in shop.nodes}
    assert shop.zones == [2, 2]
    assert all(one.bootstrap_state == OPERATIONAL for one in shop.nodes)
    assert load.all().failed == 0


def test_a_zone_whose_machines_die_costs_requests_until_the_threshold_only(shop: Shop) -> None:
    zone = shop.nodes[0].zone
    dead = [one for one in shop.nodes if one.zone == zone]
    others = {one.id for one in shop.nodes} - {one.id for one in dead}
    assert shop.zones == [2, 2]
    with shop.load() as load:
        time.sleep(3)
        died = time.monotonic()
        for one in dead:
            shop.kill_machine(one)
        time.sleep(THRESHOLD_SECONDS + SERVED_SECONDS)
    after = load.all(since=died + THRESHOLD_SECONDS)
    lost = load.all(since=died, until=died + THRESHOLD_SECONDS).failed
    print(f"{lost} requests failed before the threshold, {after.failed} after it")  # noqa: T201 - a figure
    assert {one.id for one in shop.nodes if one.up} == others
    assert {
        one for one, its in lb.health(shop.desk.cloud, shop.balancer).items() if its.state == "healthy"
    } == others
    assert load.all(until=died - 1).failed == 0
    assert after.failed == 0
    assert sum(after.statuses.values()) > 100
    shop.invoke("fleet.up")
    assert shop.zones == [2, 2]


def test_an_end_during_a_beginning_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    text = (SITE / "shop.toml").read_text().replace('"shop"', '"kiosk"').replace("count = 4", "count = 2")
    (tmp_path / "kiosk.toml").write_text(text)
    kiosk = replace(shop, name="kiosk", file=tmp_path / "kiosk.toml")
    up = kiosk.begin("fleet.up")
    kiosk.wait("the kiosk's nodes", lambda: kiosk.nodes)
    kiosk.invoke("fleet.down")
    assert "gave way" in up.communicate()[1]
    assert up.returncode == 1
    assert kiosk.left == []
