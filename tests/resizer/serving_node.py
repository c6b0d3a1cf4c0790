"""A node of the baked image in the tests' cloud, its bucket, and what can go wrong around it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from resizer_server import Answer

METADATA = "169.254.169.254"
SIGNING_KEY = "known-to-the-tests-of-faults"
PATIENCE_SECONDS = 12
"""A client's: shorter than any time-out of Apache's own, whose replies are pages and not refusals of ours."""
RECOVERY_SECONDS = 30
UNITS = ("apache2", "resizer-render", "resizer-keeper")
_METRICS = (
    "import urllib.request as web; "
    "print(web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1/metrics').read().decode())"
)


@dataclass
class ServingNode:
    """A node: `shell` is root's, `namespace` that of its network on this computer."""

    address: str
    instance_id: str
    shell: Any
    namespace: str
    store: str
    s3: Any
    bucket: str

    def upload(self, key: str, data: bytes) -> None:
        """Put an original into the bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask the node, as a client with little patience would. Raises OSError, HTTPException."""
        connection = HTTPConnection(self.address, timeout=PATIENCE_SECONDS)
        with closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def crowd(self, paths: Sequence[str]) -> list[Answer]:
        """Ask for all at once."""
        with ThreadPoolExecutor(len(paths)) as pool:
            return list(pool.map(self.get, paths))

    def survivors(self, paths: Sequence[str]) -> list[Answer]:
        """Ask for all at once; connections that end without a whole answer are passed over."""

        def ask(path: str) -> Answer | None:
            try:
                return self.get(path)
            except (OSError, HTTPException):
                return None

        with ThreadPoolExecutor(len(paths)) as pool:
            return [answer for answer in pool.map(ask, paths) if answer]

    @contextmanager
    def hits(self, path: str) -> Iterator[list[Answer]]:
        """Ask for a hit again and again during a block; an answer that does not come fails the block."""
        answers: list[Answer] = []
        failures: list[Exception] = []
        ending = threading.Event()

        def ask() -> None:
            while not ending.wait(0.005):
                try:
                    answers.append(self.get(path))
                except (OSError, HTTPException) as error:
                    failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield answers
        finally:
            ending.set()
            thread.join()
        assert failures == []

    @contextmanager
    def cut_off(self, address: str, port: int, fate: str) -> Iterator[None]:
        """Let packets of the node to a port meet a fate, such as `drop`, for a block."""
        self._nft(
            "add table inet fault\nadd chain inet fault out { type filter hook output priority 0; }\n"
            f"add rule inet fault out ip daddr {address} tcp dport {port} {fate}\n"
        )
        try:
            yield
        finally:
            self._nft("delete table inet fault\n")

    def without_store(self, fate: str) -> Any:
        """Let the store be away for a block."""
        host, _, port = self.store.partition(":")
        return self.cut_off(host, int(port), fate)

    def without_metadata(self) -> Any:
        """Let the metadata service say nothing for a block."""
        return self.cut_off(METADATA, 80, "drop")

    def run(self, script: str) -> str:
        """Do something as root on the node, and return what it said."""
        done = self.shell.run(script, timeout_seconds=60)
        assert done.ok, done.output
        return str(done.stdout).strip()

    def count(self, name: str) -> float:
        """The sum of a counter over its labels."""
        told = self.run(f'python3 -c "{_METRICS}"')
        return sum(
            map(float, re.findall(rf"^resizer_{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", told, re.MULTILINE))
        )

    def processes(self) -> list[str]:
        """The first processes of the units: others than before if one was started again."""
        return self.run(f"systemctl show --property=MainPID --value {' '.join(UNITS)}").split()

    def until(self, true: Callable[[], Any], what: str) -> None:
        """Wait until it is so."""
        end = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < end:
            try:
                if true():
                    return
            except (OSError, HTTPException):
                pass
            time.sleep(0.1)
        raise AssertionError(f"waited {RECOVERY_SECONDS} s in vain until {what}")

    def until_served(self, path: str) -> None:
        """Wait until a result is served."""
        self.until(lambda: self.get(path).status == 200, f"{path} is served")

    def _nft(self, rules: str) -> None:
        argv = ["nsenter", f"--net=/run/netns/{self.namespace}", "nft", "-f", "-"]
        subprocess.run(argv, input=rules, text=True, check=True)


@dataclass(frozen=True)
class Pair:
    """Two nodes of one bucket; `late` has no role until `give_role` is called."""

    node: ServingNode
    late: ServingNode
    give_role: Callable[[], Any]


@contextmanager
def launched_pair(desk: Any, image_id: str) -> Iterator[Pair]:
    """Launch them, for a block."""
    from cloud_fixture import environment

    from aws import temporary
    from aws.instance import wait_running
    from aws.ownership import Run
    from aws.userdata import node_user_data

    with ExitStack() as stack:
        stack.enter_context(environment(desk.site))
        run = Run()
        bucket = stack.enter_context(temporary.bucket(desk.cloud, run))
        policy = temporary.node_policy(bucket)
        profile = stack.enter_context(temporary.instance_profile(desk.cloud, run, policy))
        inputs = {"BUCKET": f"text:{bucket}", "UNSIGNED": "text:true", "SIGNING_KEYS": f"text:{SIGNING_KEY}"}
        told = node_user_data(inputs)
        ids = [desk.ask(image_id, user_data=told, profile=name)[0] for name in (profile, "")]
        stack.callback(desk.cloud.ec2.terminate_instances, InstanceIds=ids)
        nodes = [_reached(desk, stack, one, bucket) for one in wait_running(desk.cloud, ids)]

        def give_role() -> None:
            name = {"Name": profile}
            desk.cloud.ec2.associate_iam_instance_profile(IamInstanceProfile=name, InstanceId=ids[1])

        yield Pair(nodes[0], nodes[1], give_role)


def _reached(desk: Any, stack: ExitStack, instance: Any, bucket: str) -> ServingNode:
    from localcloud.network import Network

    site = desk.site
    shell = stack.enter_context(desk.machine(instance))
    namespace = Network(site).namespace(instance.id)
    store = f"{site.gateway}:{site.port}"
    node = ServingNode(instance.address, instance.id, shell, namespace, store, desk.cloud.s3, bucket)
    node.until(lambda: node.get("/health").status == 200, f"{instance.id} is healthy")
    shell.run("systemctl is-system-running --wait", timeout_seconds=60)
    return node


def small_and_typed(answers: Sequence[Answer]) -> bool:
    """Tell whether all that is no image is one short line of ours, beginning with its code, and not kept."""
    refusals = [answer for answer in answers if answer.status >= 500]
    return all(
        re.match(rb"[a-z_]+ [A-Z][^\n]*\n$", answer.body)
        and len(answer.body) < 300
        and answer.headers["cache-control"] == "no-store"
        and int(answer.headers["retry-after"]) > 0
        for answer in refusals
    )
