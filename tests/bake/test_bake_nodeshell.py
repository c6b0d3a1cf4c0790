from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from testinfra.host import Host

from bake import nodeshell
from bake.nodeshell import NodeShell

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance


@pytest.fixture(autouse=True)
def installed() -> None:
    nodeshell.install()


def test_testinfra_takes_it_for_hosts_of_its_scheme_alone() -> None:
    assert isinstance(testinfra.get_host("node://admin@192.0.2.1", sudo=True).backend, NodeShell)
    assert not isinstance(testinfra.get_host("ssh://admin@192.0.2.1", sudo=True).backend, NodeShell)


def test_a_host_keeps_its_name_and_a_test_of_it_its_id() -> None:
    backend = testinfra.get_host("node://admin@192.0.2.1:2222").backend
    assert (backend.host.name, backend.host.port) == ("192.0.2.1", "2222")
    assert backend.get_pytest_id() == "node://192.0.2.1"


@pytest.fixture
def node(desk: Desk, debian: Instance, debian_machine: Any, tmp_path: Path) -> Iterator[Host]:
    """The shared Debian machine, through a shell."""
    config = tmp_path / "ssh_config"
    config.write_text(f"Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile {tmp_path}/known\n")
    found = testinfra.get_host(
        f"node://admin@{debian.address}",
        ssh_config=str(config),
        ssh_identity_file=str(desk.key.write(tmp_path / "key")),
        sudo=True,
    )
    yield found
    found.backend.close()


@pytest.mark.machines
def test_commands_run_as_root_each_for_itself_and_end_as_they_would(node: Host) -> None:
    assert node.run("id -un; cd /srv; A=1; echo %s >&2; exit 3", "it's ü").stderr == "it's ü\n"
    assert node.run('pwd; echo "<$A>"; exit 3').stdout == "/home/admin\n<>\n"
    assert node.run("exit 3").rc == 3
    assert node.run("kill -TERM $$").rc == 143
    assert node.check_output("id -un") == "root"
    with node.sudo("nobody"):
        assert node.check_output("id -un") == "nobody"


@pytest.mark.machines
def test_what_a_command_says_is_kept_byte_for_byte_and_it_hears_nothing(node: Host) -> None:
    said = node.run("head -c 300000 /dev/zero; cat; printf '\\377\\n'")
    assert said.stdout_bytes == bytes(300_000) + b"\377\n"
    assert node.file("/etc/hostname").is_file


@pytest.mark.machines
def test_a_node_that_is_lost_is_an_error_and_the_next_command_tries_it_again(node: Host) -> None:
    with pytest.raises(ConnectionError, match=r"was lost at: kill -KILL \$PPID"):
        node.run("kill -KILL $PPID")
    assert node.check_output("echo here") == "here"
