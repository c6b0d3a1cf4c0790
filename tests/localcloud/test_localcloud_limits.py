from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.cgroups import ControlGroup
from localcloud.limits import Limits, Size


@pytest.fixture
def site(tmp_path: Path) -> ControlGroup:
    """A site's group as the kernel shows it, two levels of it."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return ControlGroup(tmp_path).child("site")


def test_a_machine_has_no_more_than_its_instance_type(site: ControlGroup) -> None:
    machine = site.child("i-1")
    assert Limits(site, print).apply(machine, Size(vcpus=2, memory_mib=2048))
    assert (machine.path / "memory.max").read_text() == str(2 * 1024**3)
    assert (machine.path / "cpu.max").read_text() == "200000 100000"


def test_the_controllers_are_handed_down_to_the_machines_groups(site: ControlGroup) -> None:
    Limits(site, print).apply(site.child("i-1"), Size(1, 512))
    for path in (site.path.parent, site.path):
        assert (path / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_where_the_controllers_are_elsewhere_nothing_is_limited_and_that_is_said_once(
    site: ControlGroup,
) -> None:
    (site.path.parent / "cgroup.controllers").write_text("hugetlb cpu\n")
    said: list[str] = []
    limits = Limits(site, said.append)
    machine = site.child("i-1")
    assert not limits.apply(machine, Size(1, 512))
    assert not limits.apply(machine, Size(1, 512))
    assert list(machine.path.iterdir()) == []
    (notice,) = said
    assert "instance type's memory:" in notice
