from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bake.errors import PlanError, SpecError, StepFailed
from bake.machine import Result
from bake.plan import HOLD_SERVICES, plan
from bake.spec import load
from bake.steps import KINDS
from bake.steps.file import File
from bake.steps.packages import Packages
from bake.steps.tree import Shipped, Tree
from bake.steps.unit import Unit

Write = Callable[..., Path]
SPECS = Path(__file__).parents[2] / "bake"


@dataclass
class Recorder:
    """Remembers what it was told, and answers with one result."""

    answer: Result = field(default_factory=lambda: Result(0))
    scripts: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        self.scripts.append(script)
        return self.answer

    def put(self, content: bytes, to: str) -> None:
        self.files[to] = content


def test_services_are_held_back_before_anything_else(write: Write) -> None:
    assert plan(load(write("[[step]]\nunit = 'x'\n"))) == (HOLD_SERVICES, Unit("x"))


@pytest.mark.parametrize("name", ["base", "resizer"])
def test_the_shipped_specs_can_be_planned(name: str) -> None:
    steps = plan(load(SPECS / f"{name}.toml"))
    assert len({step.describe() for step in steps}) == len(steps)


@pytest.mark.parametrize("name", ["base", "resizer"])
def test_a_plan_names_no_path_of_this_computer(name: str) -> None:
    steps = plan(load(SPECS / f"{name}.toml"))
    assert [s for s in steps if str(SPECS.parent) in s.describe() + s.probe()] == []


def test_every_kind_is_registered_under_its_first_option() -> None:
    assert {name: kind.options[0].name for name, kind in KINDS.items()} == {name: name for name in KINDS}


def test_what_a_probe_is_asked_about_is_quoted() -> None:
    assert "'/etc/it'\"'\"'s'" in File("/etc/it's", b"").probe()


def test_a_file_is_put_then_moved_into_place() -> None:
    machine = Recorder()
    File("/etc/a/b", b"text", "bob", "staff", 0o600).apply(machine)
    ((held, content),) = machine.files.items()
    assert content == b"text"
    assert f"install -D -o bob -g staff -m 0600 {held} /etc/a/b.amibake-new && mv -fT" in machine.scripts[0]


def test_a_package_that_does_not_exist_is_named() -> None:
    machine = Recorder(
        Result(100, "", "E: Unable to locate package nosuch\nE: Version '9' for 'curl' was not found\n")
    )
    with pytest.raises(StepFailed) as caught:
        Packages(("nosuch", "curl=9", "jq")).apply(machine)
    assert caught.value.hint.endswith(": curl, nosuch")


def test_a_removed_package_whose_configuration_stayed_is_not_installed() -> None:
    assert "ok installed$" in Packages(("curl",)).probe()


@pytest.mark.parametrize("name", ["curl-", "Curl", "libc*", "a b"])
def test_what_apt_would_take_for_something_else_is_no_package(write: Write, name: str) -> None:
    with pytest.raises(SpecError, match="is no package name"):
        plan(load(write(f"[[step]]\npackages = ['{name}']\n")))


def test_a_unit_is_never_started() -> None:
    machine = Recorder()
    Unit("a").apply(machine)
    Unit("a", enabled=False).apply(machine)
    Unit("a", masked=True).apply(machine)
    assert "start" not in "".join(machine.scripts)
    assert "--now" not in "".join(machine.scripts)


def test_a_tree_ships_all_but_byte_code(tmp_path: Path, write: Write) -> None:
    for name in ("src/a.py", "src/b/c.sh", "src/__pycache__/a.pyc", "src/b/d.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "src/b/c.sh").chmod(0o755)
    (_, tree) = plan(load(write("[[step]]\ntree = '/opt/x'\nsource = 'src'\n")))
    assert tree == Tree(
        "/opt/x", (Shipped("a.py", b"src/a.py"), Shipped("b/c.sh", b"src/b/c.sh", executable=True))
    )


def test_a_trees_manifest_lists_folders_modes_owners_and_contents() -> None:
    lines = Tree("/opt/x", (Shipped("b/c", b""),), "al", "staff").manifest().splitlines()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert lines == ["d 755 al staff ./", "d 755 al staff ./b", f"{empty}  ./b/c", "f 644 al staff ./b/c"]


def test_the_same_tree_gives_the_same_archive() -> None:
    files = (Shipped("a", b"1"), Shipped("b/c", b"2", executable=True))
    assert Tree("/opt/x", files).archive() == Tree("/opt/x", files).archive()


def test_a_link_in_a_tree_is_refused(tmp_path: Path, write: Write) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").symlink_to("/etc/passwd")
    with pytest.raises(PlanError, match="regular files only"):
        plan(load(write("[[step]]\ntree = '/opt/x'\nsource = 'src'\n")))
