"""Snapshots that are written and read block by block: what the EBS direct APIs do, apart from HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from localcloud.catalog import Catalog, new_id
from localcloud.disks import BLOCK_BYTES, Disk, blocks, changes, holder, linear
from localcloud.ebs_refusals import conflict, invalid, missing
from localcloud.site import ACCOUNT
from localcloud.snapshots import SnapshotRecord

T = TypeVar("T")

_LARGEST_GIB = 65536


@dataclass(frozen=True)
class Wanted:
    """What StartSnapshot asks for."""

    size_gib: int
    parent: str = ""
    description: str = ""
    client_token: str = ""
    encrypted: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What tells one request from another that comes with the same client token."""
        said = [self.size_gib, self.parent, self.description, self.encrypted, sorted(self.tags.items())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


class EbsSnapshots:
    """The snapshots of a site as EBS sees them: sizes in GiB, blocks of 512 KiB."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def start(self, region: str, wanted: Wanted) -> SnapshotRecord:
        """Begin a snapshot, on top of a parent or empty; it stays pending until it is completed."""
        with self._catalog.lock:
            for one in self._catalog.snapshots.values():
                if wanted.client_token and (one.client_token, one.region) == (wanted.client_token, region):
                    if one.request != wanted.digest:
                        raise conflict("The client token was used before with other parameters")
                    return one
            base = self._parent(region, wanted)
            snapshot_id = new_id("snap")
            Disk(self._catalog.store.disks, snapshot_id).make(wanted.size_gib)
            record = SnapshotRecord(
                id=snapshot_id,
                owner=ACCOUNT,
                started=self._catalog.now(),
                size_gib=wanted.size_gib,
                region=region,
                description=wanted.description,
                state="pending",
                disks=(snapshot_id, *(base.disks if base else ())),
                sealed=False,
                parent=wanted.parent,
                client_token=wanted.client_token,
                request=wanted.digest,
                tags=wanted.tags,
            )
            return self._catalog.keep(record, new=True)

    def check_writable(self, region: str, snapshot_id: str, index: int) -> None:
        """Refuse a block that cannot be written, before its data is read."""
        record = self._found(region, snapshot_id)
        if record.sealed:
            raise invalid(
                "INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot_id}' is not pending: {record.state}"
            )
        _check_index(record, index)

    def put(self, region: str, snapshot_id: str, index: int, block: bytearray, digest: bytes) -> None:
        """Write a block whose digest the caller gives; refused when the data has another."""
        self.check_writable(region, snapshot_id, index)
        if len(block) != BLOCK_BYTES:
            raise invalid("INVALID_BLOCK", f"A block has {BLOCK_BYTES} bytes, not {len(block)}")
        if hashlib.sha256(block).digest() != digest:
            raise invalid("INVALID_BLOCK", f"The checksum of block {index} does not match its data")
        Disk(self._catalog.store.disks, snapshot_id).write(index, block, digest)

    def complete(self, region: str, snapshot_id: str, count: int, aggregate: bytes | None) -> str:
        """Seal a snapshot and return its state; it is completed once everything is safely on the disk."""
        with self._catalog.lock:
            record = self._found(region, snapshot_id)
            if record.sealed:
                return record.state
            disk = Disk(self._catalog.store.disks, snapshot_id)
            written = sum(1 for _ in disk.written())
            if written != count:
                raise invalid(
                    "INVALID_PARAMETER_VALUE",
                    f"ChangedBlocksCount is {count}, but {written} blocks were written",
                )
            if aggregate is not None and linear(digest for _, digest in disk.written()) != aggregate:
                raise invalid(
                    "INVALID_PARAMETER_VALUE", "The checksum does not match that of the blocks written"
                )
            self._catalog.change(snapshot_id, sealed=True)
        threading.Thread(target=self._settle, args=(disk,), daemon=True).start()
        return "pending"

    def blocks(
        self, region: str, snapshot_id: str, start: int, limit: int
    ) -> tuple[SnapshotRecord, list[tuple[int, str]], int | None]:
        """A page of a snapshot's blocks with their tokens, and where the next page begins."""
        record = self._readable(region, snapshot_id)
        found, following = _page(blocks(self._chain(record), start), limit)
        listed = [(index, block_token(snapshot_id, index, disk)) for index, disk in found]
        return record, listed, following[0] if following else None

    def changes(
        self, region: str, first_id: str, second_id: str, start: int, limit: int
    ) -> tuple[SnapshotRecord, list[tuple[int, str, str]], int | None]:
        """A page of what differs between two snapshots of one lineage: index, token there, token here."""
        first, second = self._readable(region, first_id), self._readable(region, second_id)
        if not set(first.disks) & set(second.disks):
            raise invalid("UNRELATED_SNAPSHOTS", f"{first_id} and {second_id} are not of the same lineage")
        found, following = _page(changes(self._chain(first), self._chain(second), start), limit)
        listed = [
            (
                index,
                block_token(first_id, index, before) if before else "",
                block_token(second_id, index, after) if after else "",
            )
            for index, before, after in found
        ]
        return second, listed, following[0] if following else None

    def get(self, region: str, snapshot_id: str, index: int, token: str) -> tuple[bytes, bytes]:
        """A block and its digest. Refused without the token that a listing gave for it."""
        record = self._readable(region, snapshot_id)
        _check_index(record, index)
        disk = holder(self._chain(record), index)
        if disk is None:
            raise invalid("INVALID_BLOCK", f"The snapshot '{snapshot_id}' has no block {index}")
        if token != block_token(snapshot_id, index, disk):
            raise invalid("INVALID_BLOCK_TOKEN", f"The block token is not that of block {index}")
        return disk.read(index), disk.digest(index)

    def _parent(self, region: str, wanted: Wanted) -> SnapshotRecord | None:
        if wanted.encrypted:
            raise invalid("INVALID_PARAMETER_VALUE", "this local cloud keeps no encrypted snapshots")
        base = self._readable(region, wanted.parent) if wanted.parent else None
        if not (base.size_gib if base else 1) <= wanted.size_gib <= _LARGEST_GIB:
            raise invalid(
                "INVALID_VOLUME_SIZE",
                f"A volume of {wanted.size_gib} GiB is smaller than its parent or beyond {_LARGEST_GIB} GiB",
            )
        return base

    def _found(self, region: str, snapshot_id: str) -> SnapshotRecord:
        record = self._catalog.snapshots.get(snapshot_id)
        if record is None or record.region != region or record.owner != ACCOUNT:
            raise missing(snapshot_id)
        return record

    def _readable(self, region: str, snapshot_id: str) -> SnapshotRecord:
        record = self._found(region, snapshot_id)
        if record.state != "completed":
            raise invalid("INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot_id}' is {record.state}")
        if not record.disks:
            raise invalid(
                "INVALID_SNAPSHOT_ID",
                f"The snapshot '{snapshot_id}' holds a machine's files here, not blocks",
            )
        return record

    def _chain(self, record: SnapshotRecord) -> list[Disk]:
        return [Disk(self._catalog.store.disks, name) for name in record.disks]

    def _settle(self, disk: Disk) -> None:
        try:
            disk.settle()
        except OSError as why:
            self._catalog.notice(f"{disk.name} could not be completed: {why}")
            self._catalog.change(disk.name, state="error", state_message=str(why))
        else:
            self._catalog.change(disk.name, state="completed", completed=self._catalog.now())


def block_token(snapshot_id: str, index: int, disk: Disk) -> str:
    """What a reader of a block must show: that a listing of the snapshot told of it."""
    said = f"{snapshot_id}/{index}/{disk.name}"
    return base64.b64encode(hashlib.sha256(said.encode()).digest()).decode()


def _check_index(record: SnapshotRecord, index: int) -> None:
    last = record.size_gib * 2**30 // BLOCK_BYTES - 1
    if not 0 <= index <= last:
        raise invalid(
            "INVALID_BLOCK", f"The blocks of {record.id} are 0 to {last}: there is no block {index}"
        )


def _page(found: Iterator[T], limit: int) -> tuple[list[T], T | None]:
    """The first things, and the one after them if there is one."""
    taken = list(islice(found, limit))
    return taken, next(found, None)
