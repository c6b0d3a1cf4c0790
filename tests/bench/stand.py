"""The stand: a node of the baked image, an S3 that keeps up, and originals that all rivals read."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from aws import temporary
from aws.instance import Launch, launched, wait_running
from aws.ownership import Run
from aws.place import find_place
from aws.userdata import node_user_data
from bench import baking, cpu, servers
from bench.errors import BenchError
from bench.servers import Network
from resizer.photograph import photograph

if TYPE_CHECKING:
    from bake.machine import Machine
    from bench.cloud import Ground

BUCKET = "originals"
SIZE = (2464, 1632)
"""Of the originals, in pixels: 4 megapixels, as those of the figures that we compare with."""
_SERVING_SECONDS = 120
_SERVICES = ("apache2.service", "resizer-render.service", "resizer-keeper.service")
# This computer's may be BBR, which sets a timer for what it sends: it would charge a server by the speed that
# a connection was thought to have. Debian's is cubic; where a network may not choose that, reno sends alike.
_CONTROL = "sysctl -qw net.ipv4.tcp_congestion_control={}"


@dataclass(frozen=True)
class Stand:
    """Where serving is measured. `originals` is the folder that rivals read; the bucket holds the same."""

    ground: Ground
    instance_id: str
    address: str
    store: Any
    originals: Path
    folder: Path

    @property
    def url(self) -> str:
        """The node."""
        return f"http://{self.address}"

    def resized(self, width: int, key: str) -> str:
        """A result on the node."""
        return f"{self.url}/unsafe/w{width}/{key}"

    def stored(self, key: str) -> str:
        """An original in the store, as who is told of it by its URL fetches it."""
        return f"{self.store.meta.endpoint_url}/{BUCKET}/{key}"

    def keys(self, series: str, count: int) -> list[str]:
        """So many originals that nobody has asked for yet, in the bucket and in the folder."""
        data = (self.originals / "original.jpg").read_bytes()
        keys = [f"{series}{number}.jpg" for number in range(count)]
        for key in keys:
            (self.originals / key).write_bytes(data)
            self.store.put_object(Bucket=BUCKET, Key=key, Body=data)
        return keys

    def processes(self, name: str = "") -> list[cpu.Process]:
        """The node's processes that serve: Apache's, the application's, renderers'; or those of a name."""
        services = () if name else _SERVICES
        found = [one for one in cpu.processes().values() if name in ("", one.name)]
        return [one for one in found if self._within(one.pid, services)]

    def cpu_seconds(self, name: str = "") -> float:
        """The CPU time of these processes since they began."""
        return sum(one.cpu_seconds for one in self.processes(name))

    @property
    def pid(self) -> int:
        """A process of the node, by which its network is known."""
        return min(one.pid for one in self.processes())

    def restart(self) -> None:
        """Start the node's Apache anew, with the application in it."""
        with self.machine() as machine:
            machine.run("systemctl restart apache2", timeout_seconds=60)
        _wait_serving(f"{self.url}/health")

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """A login on the node."""
        with self.ground.reached(self.address) as machine:
            yield machine

    def _within(self, pid: int, services: tuple[str, ...]) -> bool:
        try:
            group = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return False
        within = not services or any(one in group for one in services)
        return within and self.instance_id in group


@contextmanager
def stand(ground: Ground) -> Iterator[Stand]:
    """Bake the image, start the store and one node, for a block. Raises BenchError when it does not serve."""
    ground.say("bake the image to be measured")
    baked = baking.invoke(ground, "bake", f"--spec={baking.project(ground.folder / 'project')}")
    originals, folder = ground.folder / "originals", ground.folder / "rivals"
    originals.mkdir()
    folder.mkdir()
    (originals / "original.jpg").write_bytes(photograph(*SIZE))
    with ExitStack() as stack:
        weed = stack.enter_context(servers.object_store(folder, str(ground.site.desk_address)))
        store = _client(weed.url)
        store.create_bucket(Bucket=BUCKET)
        node = stack.enter_context(_node(ground, baked.document["image_id"]))
        made = Stand(ground, node.id, node.address, store, originals, folder)
        _wait_serving(f"{made.url}/health")
        _send_as_debian(made)
        _aim(made, weed.url)
        yield made


def fetched(url: str, **headers: str) -> Any:
    """An answer with `status`, `headers` and `body`, whatever its status."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.body = answer.read()
            return answer
    except urllib.error.HTTPError as answer:
        answer.body = answer.read()  # type: ignore[attr-defined]
        return answer


@contextmanager
def _node(ground: Ground, image_id: str) -> Iterator[Any]:
    run = Run()
    with ExitStack() as stack:
        policy = temporary.node_policy(BUCKET)
        inputs = {"BUCKET": f"text:{BUCKET}", "UNSIGNED": "text:true"}
        wanted = Launch(
            image_id=image_id,
            instance_type="t3.small",
            subnet_id=find_place(ground.cloud).subnet_id,
            tags=run.tags(),
            key_name="bench",
            user_data=node_user_data(inputs),
            profile=stack.enter_context(temporary.instance_profile(ground.cloud, run, policy)),
        )
        (node,) = wait_running(ground.cloud, stack.enter_context(launched(ground.cloud, wanted, 1)))
        yield node


def _aim(stand: Stand, store_url: str) -> None:
    """Have the node's services use the quick store: a local machine is aimed at moto's by itself."""
    with stand.machine() as machine:
        aimed = machine.run(
            f"systemctl set-environment AWS_ENDPOINT_URL_S3={store_url}"
            " && systemctl restart resizer-render resizer-keeper apache2",
            timeout_seconds=60,
        )
    if aimed.exit_code:
        raise BenchError(f"the services do not start again: {aimed.output[-500:]}")
    _wait_serving(f"{stand.url}/health")


def _send_as_debian(stand: Stand) -> None:
    for control in ("cubic", "reno"):
        argv = Network(stand.address, stand.pid).within(_CONTROL.format(control).split())
        if not subprocess.run(argv, capture_output=True, check=False).returncode:
            return
    raise BenchError("the node's network takes neither cubic nor reno", "load the kernel's module for one")


def _client(endpoint: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="bench", aws_secret_access_key="bench",
    )  # fmt: skip


def _wait_serving(url: str) -> None:
    deadline = time.monotonic() + _SERVING_SECONDS
    while time.monotonic() < deadline:
        try:
            if fetched(url).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise BenchError(f"{url} does not answer 200", "`invoke local.console` shows what the node said")
