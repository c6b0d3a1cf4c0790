"""A disk of its own for the cache: found, formatted once, mounted. Without one the cache is on the root disk.

Only a blank disk is ever formatted: one without partitions and without anything that a file system or a
volume
manager would have written. A disk on the instance itself is taken by itself; an EBS volume only when it is
named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.act import Act
from bootstrap.errors import VolumeError

LABEL = "amibake-cache"
_INSTANCE_STORE = "Amazon EC2 NVMe Instance Storage"
_COLUMNS = "PATH,TYPE,FSTYPE,LABEL,PTTYPE,MOUNTPOINTS,SERIAL,MODEL,SIZE"
_APPEARING_SECONDS = 60


@dataclass(frozen=True)
class Disk:
    """A whole disk; `serial` of an EBS volume is its id without the dash."""

    path: str
    filesystem: str = ""
    label: str = ""
    blank: bool = True
    mounted_at: tuple[str, ...] = ()
    serial: str = ""
    model: str = ""

    @property
    def is_instance_store(self) -> bool:
        """Whether it is a disk on the instance itself, empty after each stop."""
        return self.model == _INSTANCE_STORE


def mount_cache(act: Act, exists: Callable[[str], bool] = lambda path: Path(path).is_block_device()) -> None:
    """Have the cache's folder on a disk of its own, where there is one.

    Raises VolumeError when the disk that the inputs name does not appear or is in use, ServiceError.
    """
    folder, wanted = Path(act.text("CACHE_DIR")), act.text("CACHE_VOLUME", "auto")
    if wanted == "none" or not folder.is_dir():
        return
    disk = _find(act, wanted, exists)
    if disk is None:
        act.say(f"{folder} stays on the root disk: no disk of its own")
        return
    if str(folder) in disk.mounted_at:
        return
    if disk.mounted_at:
        raise VolumeError(f"{disk.path} is mounted at {disk.mounted_at[0]}", "correct the input CACHE_VOLUME")
    if disk.label != LABEL:
        _format(act, disk)
    act.change(f"mounted {disk.path} at {folder}", lambda: _mount(act, disk, folder))


def disks(act: Act, exists: Callable[[str], bool]) -> list[Disk]:
    """Return the whole disks that this machine may use; a container sees its host's, but cannot open them."""
    shown = json.loads(act.run(["lsblk", "--json", "--output", _COLUMNS]))
    found = [_disk(one) for one in shown["blockdevices"] if one["type"] == "disk"]
    return [one for one in found if exists(one.path)]


def choose(found: Sequence[Disk], wanted: str) -> Disk | None:
    """Return the disk for the cache.

    The one named, else one prepared before, else a blank one on the instance.
    """
    if wanted != "auto":
        names = _aliases(wanted)
        return next((one for one in found if one.path in names or one.serial in names), None)
    prepared = [one for one in found if one.label == LABEL]
    blank = [one for one in found if one.is_instance_store and one.blank and not one.mounted_at]
    return next(iter((*prepared, *blank)), None)


def _find(act: Act, wanted: str, exists: Callable[[str], bool]) -> Disk | None:
    """A volume that is being attached appears while the node boots: one that is named is waited for."""
    end = act.clock.monotonic() + _APPEARING_SECONDS
    while (disk := choose(disks(act, exists), wanted)) is None and wanted != "auto":
        if act.dry_run or act.clock.monotonic() > end:
            raise VolumeError(f"there is no disk {wanted}", "is the volume attached? see lsblk -o +SERIAL")
        act.clock.sleep(1)
    return disk


def _aliases(wanted: str) -> tuple[str, ...]:
    """`vol-0abc` is a serial number, `/dev/sdf` is `/dev/xvdf` on older types; a link is where it leads."""
    if wanted.startswith("vol-"):
        return (wanted.replace("-", ""),)
    return wanted, str(Path(wanted).resolve()), re.sub(r"^/dev/sd", "/dev/xvd", wanted)


def _format(act: Act, disk: Disk) -> None:
    if not disk.blank:
        raise VolumeError(
            f"{disk.path} is not blank ({disk.filesystem or 'partitions'}), so it is not formatted",
            f"if nothing on it is wanted: wipefs --all {disk.path}",
        )
    argv = ["mkfs.ext4", "-q", "-L", LABEL, "-m", "0", "-E", "lazy_itable_init=1,nodiscard", disk.path]
    act.change(f"formatted {disk.path}", lambda: act.run(argv))


def _mount(act: Act, disk: Disk, folder: Path) -> None:
    before = folder.stat()
    act.run(["mount", "-o", "noatime,nodev,nosuid", disk.path, str(folder)])
    act.run(["chown", f"{before.st_uid}:{before.st_gid}", str(folder)])
    act.run(["chmod", f"{before.st_mode & 0o7777:o}", str(folder)])


def _disk(one: dict[str, Any]) -> Disk:
    children = [*one.get("children", [])]
    points = [
        *(one.get("mountpoints") or []),
        *(at for child in children for at in child.get("mountpoints") or []),
    ]
    return Disk(
        path=one["path"],
        filesystem=one.get("fstype") or "",
        label=one.get("label") or "",
        blank=not (one.get("fstype") or one.get("pttype") or children),
        mounted_at=tuple(filter(None, points)),
        serial=(one.get("serial") or "").strip(),
        model=(one.get("model") or "").strip(),
    )
