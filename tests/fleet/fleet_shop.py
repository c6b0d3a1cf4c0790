"""The site's deployment on real machines, as its owner sees it, and its visitors, who never stop asking."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.steady import Load, load
from cloud_fixture import Desk, environment

from aws.patience import Patience, wait_for
from fleet import lb
from fleet.dns_question import ask
from fleet.node import Node, described

if TYPE_CHECKING:
    from fleet.load_balancer import LoadBalancer

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
# Two checks that fail, the time they take, and what the load balancer needs to act.
THRESHOLD_SECONDS = 15.0
# Long enough for more than a hundred requests.
SERVED_SECONDS = 5.0
SOON = Patience(0.2, 120)


@dataclass
class Shop:
    """The deployment, and how its owner talks to it."""

    desk: Desk
    env: dict[str, str]
    name: str
    file: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def invoke(self, *argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a task to its end."""
        done = self.begin(*argv)
        out, err = done.communicate(timeout=400)
        assert done.returncode == code, err
        return subprocess.CompletedProcess(argv, done.returncode, out, err)

    def begin(self, task: str, *argv: str) -> subprocess.Popen[str]:
        """Run a task meanwhile; a fleet's is on this deployment."""
        ours = [f"--file={self.file}"] if task.startswith("fleet.") else []
        command = [str(Path(sys.executable).parent / "invoke"), task, *ours, *argv]
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
        return described(self.desk.cloud, self.name)

    @property
    def zones(self) -> list[int]:
        """How many nodes run in each zone that has any."""
        return sorted(Counter(one.zone for one in self.nodes if one.up).values())

    @property
    def balancer(self) -> LoadBalancer:
        """The load balancer."""
        (found,) = lb.ours(self.desk.cloud, self.name)
        return found

    @property
    def left(self) -> list[str]:
        """What `fleet.down` would still have to do."""
        shown = json.loads(self.invoke("fleet.down", "--dry-run", "--json").stdout)
        return [str(one) for one in shown["actions"]]

    def wait(self, what: str, seen: Any) -> None:
        """Wait until something is so."""
        wait_for(what, lambda: seen() or None, SOON)

    @property
    def address(self) -> str:
        """The load balancer's."""
        (found,) = ask(str(self.desk.site.dns_address), self.balancer.dns_name).addresses
        return found

    def load(self) -> AbstractContextManager[Load]:
        """Requests through the load balancer, second after second, for as long as the block lasts."""
        return load(f"http://{self.address}/")

    def kill_machine(self, node: Node) -> None:
        """What becomes of a machine whose host dies."""
        for process in Path("/proc").glob("[0-9]*"):
            argv = (process / "cmdline").read_bytes() if (process / "cmdline").exists() else b""
            if b"systemd-nspawn" in argv and node.id.encode() in argv:
                os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def shop_in_service(desk: Desk, state: Path, name: str) -> Iterator[Shop]:
    """A deployment of the site's first release, after its file; nothing is left of it afterwards."""
    with environment(desk.site):
        env = {**os.environ, "AMIBAKE_STATE": str(state)}
        made = Shop(desk, env, name, SITE / f"{name}.toml")
        made.bake("site.toml")
        try:
            made.invoke("fleet.up")
            yield made
        finally:
            for one in made.running:
                if one.poll() is None:
                    one.kill()
                    one.wait()
            made.invoke("fleet.down")
            assert made.left == []
