"""Roll-outs and losses of a deployment that carries traffic: on real machines, as users run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench.load import Answers, open_loop
from cloud_fixture import Desk, environment

from aws.patience import Patience, wait_for
from fleet import lb, roll_record
from fleet.dns_question import ask
from fleet.naming import Names
from fleet.node import Node, described
from fleet.service import OPERATIONAL

if TYPE_CHECKING:
    from fleet.load_balancer import LoadBalancer

pytestmark = pytest.mark.machines

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
FILE = f"--file={SITE / 'shop.toml'}"
NAMES = Names("shop")
RATE = 30
# Two checks that fail, the time they take, and what the load balancer needs to act.
THRESHOLD_SECONDS = 15.0
# Long enough for hundreds of requests.
SERVED_SECONDS = 10.0
SOON = Patience(0.2, 120)
# After a canary, all that are left at once.
PACE = ("--batch=3", "--watch=5")


@dataclass
class Shop:
    """The deployment, and how its owner talks to it."""

    desk: Desk
    env: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def invoke(self, *argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a task to its end."""
        done = self.begin(*argv)
        out, err = done.communicate(timeout=400)
        assert done.returncode == code, err
        return subprocess.CompletedProcess(argv, done.returncode, out, err)

    def begin(self, *argv: str) -> subprocess.Popen[str]:
        """Run a task meanwhile."""
        command = [str(Path(sys.executable).parent / "invoke"), *argv]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.running.append(process)
        return process

    def bake(self, spec: str) -> str:
        """The image of a spec."""
        told = json.loads(self.invoke("bake", f"--spec={SITE / spec}", "--json").stdout)
        return str(told["image_id"])

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes there are."""
        return described(self.desk.cloud, "shop")

    @property
    def zones(self) -> list[int]:
        """How many nodes run in each zone that has any."""
        return sorted(Counter(one.zone for one in self.nodes if one.up).values())

    @property
    def balancer(self) -> LoadBalancer:
        """The load balancer."""
        (found,) = lb.ours(self.desk.cloud, "shop")
        return found

    def wait(self, what: str, seen: Any) -> None:
        """Wait until something is so."""
        wait_for(what, lambda: seen() or None, SOON)

    @contextmanager
    def load(self) -> Iterator[Load]:
        """Requests through the load balancer, second after second, for as long as the block lasts."""
        (address,) = ask(str(self.desk.site.dns_address), self.balancer.dns_name).addresses
        load = Load(address)
        thread = threading.Thread(target=load.ask)
        thread.start()
        try:
            yield load
        finally:
            load.ended.set()
            thread.join()

    def kill_machine(self, node: Node) -> None:
        """What becomes of a machine whose host dies."""
        for process in Path("/proc").glob("[0-9]*"):
            argv = (process / "cmdline").read_bytes() if (process / "cmdline").exists() else b""
            if b"systemd-nspawn" in argv and node.id.encode() in argv:
                os.kill(int(process.name), signal.SIGKILL)


@dataclass
class Load:
    """An open loop: whatever becomes of the answers, requests go on."""

    address: str
    ended: threading.Event = field(default_factory=threading.Event)
    seconds: list[tuple[float, Answers]] = field(default_factory=list)

    def ask(self) -> None:
        """Until the end, in pieces of a second."""
        while not self.ended.is_set():
            began = time.monotonic()
            url = f"http://{self.address}/"
            told = open_loop({"page": [url]}, {"page": 1.0}, RATE, 1.0, seed=len(self.seconds) + 1)
            self.seconds.append((began, told["page"]))

    def all(self, since: float = 0.0, until: float = float("inf")) -> Answers:
        """What came of the requests between two moments."""
        found = Answers()
        for began, answers in self.seconds:
            if since <= began < until:
                found.latencies_ms += answers.latencies_ms
                found.statuses += answers.statuses
        return found


@pytest.fixture(scope="module")
def shop(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Four nodes of the site's first release in service."""
    with environment(desk.site):
        env = {**os.environ, "AMIBAKE_STATE": str(tmp_path_factory.mktemp("state"))}
        made = Shop(desk, env)
        made.bake("site.toml")
        made.invoke("fleet.up", FILE)
        try:
            yield made
        finally:
            for one in made.running:
                if one.poll() is None:
                    one.kill()
                    one.wait()
            made.invoke("fleet.down", FILE)


def test_an_image_is_replaced_under_load_without_a_failed_request(shop: Shop) -> None:
    second, old = shop.bake("second.toml"), {one.id for one in shop.nodes}
    with shop.load() as load:
        time.sleep(8)
        began = time.monotonic()
        shop.invoke("fleet.roll", FILE, f"--image={second}", *PACE)
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
        failed = shop.invoke("fleet.roll", FILE, f"--image={refused}", "--watch=5", code=1)
    assert "was taken back" in failed.stderr
    assert "health check" in failed.stderr
    assert {one.id for one in shop.nodes} == old
    assert load.all().failed == 0


def test_a_killed_desk_s_roll_out_is_gone_on_with_while_half_of_the_calls_are_throttled(shop: Shop) -> None:
    old = {one.id for one in shop.nodes}
    with shop.load() as load:
        roll = shop.begin("fleet.roll", FILE, *PACE)
        shop.wait("the canary", lambda: len(shop.nodes) == 5)
        roll.kill()
        roll.wait()
        assert roll_record.load(shop.desk.cloud, NAMES) is not None
        for action in ("RunInstances", "TerminateInstances", "DescribeInstances", "DescribeInstanceHealth"):
            shop.invoke("local.fault", f"--action={action}", "--count=5")
        shop.invoke("fleet.roll", FILE, "--resume")
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
    shop.invoke("fleet.up", FILE)
    assert shop.zones == [2, 2]


def test_an_end_during_a_beginning_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    text = (SITE / "shop.toml").read_text().replace('"shop"', '"kiosk"').replace("count = 4", "count = 2")
    (tmp_path / "kiosk.toml").write_text(text)
    file = f"--file={tmp_path / 'kiosk.toml'}"
    up = shop.begin("fleet.up", file)
    shop.wait("the kiosk's nodes", lambda: described(shop.desk.cloud, "kiosk"))
    shop.invoke("fleet.down", file)
    up.wait()
    assert up.returncode == 1
    assert "gave way" in up.stderr.read() if up.stderr else ""
    shown = json.loads(shop.invoke("fleet.down", file, "--dry-run", "--json").stdout)
    assert shown["actions"] == []
