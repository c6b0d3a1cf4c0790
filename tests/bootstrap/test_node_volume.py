from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import VolumeError
from bootstrap.volume import Disk, choose, mount_cache

ROOT = {"path": "/dev/nvme0n1", "type": "disk", "children": [{"type": "part", "mountpoints": ["/"]}]}
STORE = {"path": "/dev/nvme1n1", "type": "disk", "model": "Amazon EC2 NVMe Instance Storage"}
EBS = {"path": "/dev/nvme2n1", "type": "disk", "model": "Amazon Elastic Block Store", "serial": "vol0abc"}


class Machine:
    """lsblk, mkfs and mount in memory."""

    def __init__(self, *disks: dict[str, Any]) -> None:
        self.disks = [{"mountpoints": [None], **one} for one in disks]
        self.ran: list[str] = []

    def __call__(self, argv: list[str]) -> str:
        if argv[0] == "lsblk":
            return json.dumps({"blockdevices": self.disks})
        self.ran.append(argv[0])
        for one in self.disks:
            if argv[0] == "mkfs.ext4" and argv[-1] == one["path"]:
                one |= {"fstype": "ext4", "label": argv[argv.index("-L") + 1]}
            if argv[0] == "mount" and argv[-2] == one["path"]:
                one["mountpoints"] = [argv[-1]]
        return ""


@pytest.fixture
def act(stage: Any, tmp_path: Path) -> Any:
    def made(machine: Machine, wanted: str = "auto", **more: str) -> Any:
        whole = stage.act(CACHE_DIR=str(tmp_path), CACHE_VOLUME=wanted, **more)
        object.__setattr__(whole, "run", machine)
        return whole

    return made


def everything(_: str) -> bool:
    return True


def test_a_blank_disk_on_the_instance_is_formatted_once_and_mounted(
    act: Any, stage: Any, tmp_path: Path
) -> None:
    machine = Machine(ROOT, STORE, EBS)
    mount_cache(act(machine), everything)
    assert machine.ran == ["mkfs.ext4", "mount", "chown", "chmod"]
    assert stage.notes == ["formatted /dev/nvme1n1", f"mounted /dev/nvme1n1 at {tmp_path}"]
    machine.ran.clear()
    mount_cache(act(machine), everything)
    assert machine.ran == []


def test_after_a_reboot_the_disk_is_mounted_and_not_formatted_again(act: Any) -> None:
    machine = Machine(ROOT, STORE)
    mount_cache(act(machine), everything)
    machine.disks[1]["mountpoints"] = [None]
    machine.ran.clear()
    mount_cache(act(machine), everything)
    assert "mkfs.ext4" not in machine.ran
    assert "mount" in machine.ran


def test_without_a_disk_of_its_own_the_cache_stays_where_it_is(act: Any, stage: Any) -> None:
    machine = Machine(ROOT, EBS)
    mount_cache(act(machine), everything)
    assert (machine.ran, stage.notes) == ([], [])
    assert "stays on the root disk" in stage.said[0]


def test_an_ebs_volume_is_taken_only_when_it_is_named(act: Any, stage: Any) -> None:
    mount_cache(act(Machine(ROOT, STORE, EBS), "vol-0abc"), everything)
    assert stage.notes[0] == "formatted /dev/nvme2n1"


@pytest.mark.parametrize("held", [{"fstype": "xfs"}, {"pttype": "gpt"}, {"children": [{"type": "part"}]}])
def test_a_volume_that_holds_anything_is_never_formatted(act: Any, held: dict[str, Any]) -> None:
    machine = Machine(ROOT, {**EBS, **held})
    with pytest.raises(VolumeError, match="is not blank") as caught:
        mount_cache(act(machine, "vol-0abc"), everything)
    assert machine.ran == []
    assert "wipefs" in caught.value.hint


def test_a_disk_that_is_in_use_elsewhere_is_left_alone(act: Any) -> None:
    with pytest.raises(VolumeError, match="is mounted at /srv"):
        mount_cache(act(Machine({**EBS, "mountpoints": ["/srv"]}), "vol-0abc"), everything)


def test_a_volume_that_is_still_being_attached_is_waited_for(act: Any, stage: Any) -> None:
    class Late(Machine):
        def __call__(self, argv: list[str]) -> str:
            if argv[0] == "lsblk" and stage.clock.monotonic() > 20 and len(self.disks) == 1:
                self.disks.append(EBS)
            return super().__call__(argv)

    mount_cache(act(Late(ROOT), "vol-0abc"), everything)
    assert stage.notes[0] == "formatted /dev/nvme2n1"


def test_a_volume_that_never_appears_is_named(act: Any) -> None:
    with pytest.raises(VolumeError, match="there is no disk vol-0abc"):
        mount_cache(act(Machine(ROOT), "vol-0abc"), everything)


def test_disks_of_a_containers_host_are_not_its_own(act: Any) -> None:
    machine = Machine(STORE)
    mount_cache(act(machine), lambda _: False)
    assert machine.ran == []


def test_a_dry_run_formats_nothing(act: Any, stage: Any) -> None:
    machine = Machine(STORE)
    mount_cache(act(machine, BOOTSTRAP_DRY_RUN="1"), everything)
    assert machine.ran == []
    assert stage.notes[0] == "formatted /dev/nvme1n1"


def test_a_device_name_of_ec2_is_found_under_the_kernels() -> None:
    disk = Disk("/dev/xvdf")
    assert choose([Disk("/dev/xvda"), disk], "/dev/sdf") is disk
