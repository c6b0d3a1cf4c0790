"""What the image suite asks of its caller, and what its tests share.

    pytest tests/image --hosts=ssh://USER@ADDRESS[,…] --ssh-config=FILE --ssh-identity-file=FILE --sudo
        [--bucket NAME] [--launch-key FILE]     and AWS_* in the environment for the tests that ask AWS

Put `ControlMaster auto`, `ControlPath` and `ControlPersist 60` into FILE: it takes a fifth of the time.
Tests that need what was not given are skipped with a reason. Every node is waited for until it has booted.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
import testinfra

# A node that has not booted by then never will; is-system-running would wait for ever.
LONGEST_BOOT_SECONDS = 300
METADATA = """
import urllib.request as web
def ask(method, path, **headers):
    request = web.Request("http://169.254.169.254/latest/" + path, method=method, headers=headers)
    return web.build_opener(web.ProxyHandler({})).open(request, timeout=2).read().decode()
token = ask("PUT", "api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
print(ask("GET", "meta-data/instance-id", **{"X-aws-ec2-metadata-token": token}), end="")
"""
INSIDE = """
import sys, urllib.request as web
print(web.build_opener(web.ProxyHandler({})).open("http://127.0.0.1" + sys.argv[1]).read().decode())
"""


@dataclass(frozen=True)
class Answer:
    """What a node's web server answered; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("image", "proving an image")
    # `invoke verify` sets the variables; by hand the options are handier.
    bucket, key = os.environ.get("AMIBAKE_BUCKET") or None, os.environ.get("AMIBAKE_LAUNCH_KEY")
    group.addoption("--bucket", default=bucket, help="the bucket the nodes' BUCKET input names")
    group.addoption(
        "--launch-key",
        type=Path,
        default=Path(key) if key else None,
        help="a file with the launch key's public line",
    )


@pytest.fixture(autouse=True)
def sealed() -> None:
    """Stand in for the seal of the unit tests: this suite is all processes and connections."""


@pytest.fixture(scope="module")
def host(host: Any, pytestconfig: pytest.Config) -> Any:
    """The node under test, booted."""
    if not pytestconfig.option.hosts:
        pytest.fail("this suite is for nodes, not for the desk: give --hosts=ssh://USER@ADDRESS")
    return _booted(host)


@pytest.fixture(scope="session")
def nodes(pytestconfig: pytest.Config) -> list[Any]:
    """All nodes at once, for what must differ between them."""
    asked = pytestconfig.option
    found = testinfra.get_hosts(
        (asked.hosts or "").split(","),
        ssh_config=asked.ssh_config,
        ssh_identity_file=asked.ssh_identity_file,
        sudo=asked.sudo,
    )
    if len(found) < 2:
        pytest.skip("one node has nobody to differ from: give two in --hosts")
    return [_booted(each) for each in found]


@pytest.fixture(scope="module")
def booted_at(host: Any) -> datetime:
    """When this boot's systemd started; a container's kernel started long before."""
    shown = host.check_output("systemctl show --timestamp=us+utc --property=UserspaceTimestamp --value")
    return datetime.strptime(shown, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def instance_id(host: Any) -> str:
    """Who the metadata service says this node is."""
    return str(host.check_output("python3 -c %s", METADATA))


@pytest.fixture(scope="session")
def launch_key(pytestconfig: pytest.Config) -> str:
    """The launch key's base64 part."""
    path = pytestconfig.getoption("--launch-key")
    if path is None:
        pytest.skip("--launch-key was not given")
    return str(path.read_text().split()[1])


@pytest.fixture(scope="session")
def bucket(pytestconfig: pytest.Config) -> str:
    """The bucket of the nodes."""
    name = pytestconfig.getoption("--bucket")
    if name is None:
        pytest.skip("--bucket was not given")
    return str(name)


@pytest.fixture(scope="session")
def aws() -> boto3.Session:
    """The way to AWS that the environment names."""
    if not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        pytest.skip("AWS_REGION is not set")
    return boto3.Session(region_name=os.environ.get("AWS_REGION"))


@pytest.fixture(scope="module")
def get(host: Any) -> Any:
    """Ask the node's web server from the desk, as a client would: `get("/health").status`."""
    return lambda path, method="GET", **headers: _ask(host, path, method, **headers)


@pytest.fixture(scope="module")
def inside(host: Any) -> Any:
    """Ask the node's web server from the node itself: `inside("/metrics")` is what 200 brings."""
    return lambda path: host.check_output("python3 -c %s %s", INSIDE, path)


@pytest.fixture(scope="session")
def get_from() -> Any:
    """Ask one of several nodes: `get_from(node, "/health").status`."""
    return _ask


def _ask(host: Any, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = HTTPConnection(host.backend.host.name, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


def _booted(host: Any) -> Any:
    host.run("timeout %s systemctl is-system-running --wait", str(LONGEST_BOOT_SECONDS))
    return host


@pytest.fixture(scope="module")
def bootstrap_status(host: Any) -> dict[str, Any]:
    """What the node says about its own boot."""
    return dict(json.loads(host.run_expect([0, 1], "node-bootstrap status --json").stdout))
