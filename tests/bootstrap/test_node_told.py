"""`invoke bootstrap` from the desk: nodes that are well, one script, a dry run, and a node that is dead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from cloud_fixture import environment, invoke
from node_machines import Cluster, changed, unique

pytestmark = pytest.mark.machines

Told = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def deployment() -> str:
    return unique("told")


@pytest.fixture(scope="module")
def nodes(cluster: Cluster, deployment: str) -> Iterator[list[Any]]:
    """Two operational nodes of a deployment."""
    with environment(cluster.desk.site):
        found = [cluster.launch({}, tags={"amibake:deployment": deployment}) for _ in range(2)]
        try:
            for one in found:
                cluster.wait_for_state(one.id, "operational")
            yield found
        finally:
            cluster.desk.terminate(*found)


@pytest.fixture
def bootstrap(cluster: Cluster, env: dict[str, str], tmp_path: Path) -> Told:
    """`invoke bootstrap --json`, with the nodes' key."""
    (tmp_path / "key").write_text(cluster.desk.key.private)
    (tmp_path / "key").chmod(0o600)

    def told(*argv: str) -> CompletedProcess[str]:
        return invoke("bootstrap", *argv, f"--identity={tmp_path / 'key'}", "--json", env=env)

    return told


def of(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    """What became of each node."""
    return list(json.loads(done.stdout)["nodes"])


def test_of_a_deployment_whose_nodes_are_all_operational_none_is_told(
    bootstrap: Told, deployment: str, nodes: list[Any]
) -> None:
    done = bootstrap("--deployment", deployment)
    assert (done.returncode, of(done)) == (0, [])


def test_a_node_named_by_its_address_boots_again_and_changes_nothing(
    bootstrap: Told, nodes: list[Any]
) -> None:
    done = bootstrap("--host", nodes[0].address)
    (one,) = of(done)
    assert (done.returncode, one["state"], changed(one)) == (0, "operational", [])
    assert len(one["scripts"]) > 1


def test_one_script_runs_on_all_nodes_of_a_deployment(
    bootstrap: Told, deployment: str, nodes: list[Any]
) -> None:
    done = bootstrap("--deployment", deployment, "--script", "hostname")
    assert done.returncode == 0
    assert {one["instance_id"] for one in of(done)} == {one.id for one in nodes}
    assert [[script["name"] for script in one["scripts"]] for one in of(done)] == [["hostname"]] * 2


def test_a_dry_run_of_another_list_says_what_would_change_and_changes_nothing(
    bootstrap: Told, cluster: Cluster, deployment: str, nodes: list[Any]
) -> None:
    argv = ("--deployment", deployment, "--list", "operational", "--input", "MESSAGE=text:dry", "--dry-run")
    done = bootstrap(*argv)
    assert done.returncode == 0
    assert [changed(one) for one in of(done)] == [["rewrote /srv/www/message (content)"]] * 2
    with cluster.desk.machine(nodes[0]) as machine:
        assert machine.run("cat /srv/www/message").stdout == "message: none\n"


def test_a_dead_node_fails_by_itself_and_the_other_is_done(
    bootstrap: Told, cluster: Cluster, deployment: str, nodes: list[Any]
) -> None:
    dead, well = nodes
    with cluster.desk.machine(dead) as machine:
        machine.run("systemctl mask --now ssh.socket ssh.service")
    done = bootstrap("--deployment", deployment, "--script", "hostname", "--input", "HOSTNAME=text:told")
    assert done.returncode == 2, done.stderr
    found = {one["instance_id"]: one for one in of(done)}
    assert found[dead.id]["error"]
    assert (found[well.id]["error"], bool(changed(found[well.id]))) == ("", True)
    with cluster.desk.machine(well) as machine:
        assert machine.run("hostname").stdout == "told\n"
