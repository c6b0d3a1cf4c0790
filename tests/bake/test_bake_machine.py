"""Steps on a real Debian machine of the tests' own cloud."""

from __future__ import annotations

import pytest

from bake.converge import converge
from bake.errors import StepFailed, TookTooLong
from bake.machine import Machine
from bake.steps import Step, check
from bake.steps.download import Download
from bake.steps.file import File
from bake.steps.folder import Folder
from bake.steps.group import Group
from bake.steps.link import Link
from bake.steps.packages import Packages
from bake.steps.tree import Shipped, Tree
from bake.steps.unit import Unit
from bake.steps.user import User

pytestmark = pytest.mark.machines

TREE = Tree("/srv/t ree", (Shipped("a b/c'd", b"1", executable=True), Shipped("e", b"")))


@pytest.fixture(scope="module")
def machine(debian_machine: Machine) -> Machine:
    debian_machine.run("rm -rf /srv/* '/etc/x y'; userdel al; groupdel ops; echo hello > /srv/hello")
    return debian_machine


HELLO = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
STEPS: tuple[Step, ...] = (
    File("/etc/x y/it's $HOME", b"a'b\n", mode=0o600),
    TREE,
    Folder("/srv/folder", mode=0o750),
    Link("/srv/link/to", "/nowhere at all"),
    Group("ops"),
    User("al", groups=("ops",)),
    Download("/srv/deep/hello", "file:///srv/hello", HELLO),
)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_step_changes_once_and_then_never_again(machine: Machine, step: Step) -> None:
    assert not check(step, machine)
    assert converge(machine, [step]).changed == (step.describe(),)
    assert converge(machine, [step]).changed == ()


@pytest.mark.parametrize("drift", ["touch stray", "chmod 600 e", "echo x > e", "rm e", "chown daemon e"])
def test_a_tree_that_drifted_is_put_right(machine: Machine, drift: str) -> None:
    converge(machine, [TREE])
    assert machine.run(f"cd '/srv/t ree' && {drift}").ok
    assert converge(machine, [TREE]).changed == (TREE.describe(),)


def test_byte_code_in_a_tree_is_no_drift(machine: Machine) -> None:
    converge(machine, [TREE])
    machine.run("mkdir '/srv/t ree/__pycache__'; touch '/srv/t ree/__pycache__/x.pyc'")
    assert converge(machine, [TREE]).changed == ()


@pytest.mark.parametrize("way", [{"enabled": False}, {"masked": True}, {"enabled": True}])
def test_a_unit_is_brought_to_each_state_from_the_one_before(machine: Machine, way: dict[str, bool]) -> None:
    step = Unit("dpkg-db-backup.timer", **way)
    assert converge(machine, [step]).changed == (step.describe(),)


def test_a_download_that_is_not_what_it_should_be_leaves_nothing(machine: Machine) -> None:
    step = Download("/srv/deep/other", "file:///srv/hello", "0" * 64)
    with pytest.raises(StepFailed, match=f"got sha256 {HELLO}"):
        step.apply(machine)
    assert not machine.run("test -e /srv/deep/other").ok


def test_an_unknown_package_is_named(machine: Machine) -> None:
    with pytest.raises(StepFailed) as caught:
        Packages(("nosuchpackage-x",)).apply(machine)
    assert caught.value.hint.endswith("nosuchpackage-x")


def test_how_a_script_ends_is_a_result(machine: Machine) -> None:
    result = machine.run("whoami; cat; echo why >&2; exit 3")
    assert (result.exit_code, result.stdout) == (3, "root\n")
    assert result.stderr.endswith("why\n")


def test_a_script_longer_than_a_command_line_runs(machine: Machine) -> None:
    assert len(machine.run(f"echo {'x' * 200_000}").stdout) == 200_001


def test_a_time_limit_ends_the_script_on_the_machine_too(machine: Machine) -> None:
    with pytest.raises(TookTooLong):
        machine.run("sleep 3217", timeout_seconds=0.5)
    assert not machine.run("pgrep -x sleep -a | grep 3217").ok
