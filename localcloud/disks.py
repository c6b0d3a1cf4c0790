"""Raw disks of snapshots: a sparse file of blocks, and beside it the digest of every block that was written.

A disk file holds only what was written to one snapshot. A snapshot's content is a chain of disks, newest
first, as an image's is a chain of layers: a block is that of the first disk in the chain which has it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path

BLOCK_BYTES = 512 * 1024
_DIGEST_BYTES = 32
_UNWRITTEN = bytes(_DIGEST_BYTES)
_ZEROS = hashlib.sha256(bytes(BLOCK_BYTES)).digest()
_SCANNED_BYTES = 1024 * _DIGEST_BYTES


@dataclass(frozen=True)
class Disk:
    """The blocks that were written to one snapshot.

    A block is there once its digest is: the data is written first, so a crash leaves no block that lies.
    """

    folder: Path
    name: str

    @property
    def data(self) -> Path:
        """The blocks, each at its place; holes where nothing was written."""
        return self.folder / f"{self.name}.raw"

    @property
    def digests(self) -> Path:
        """The SHA-256 digest of each block that was written, at 32 bytes times its index."""
        return self.folder / f"{self.name}.sha256"

    def make(self, size_gib: int) -> None:
        """Make an empty disk of a size; it takes no room yet."""
        blocks = size_gib * 2**30 // BLOCK_BYTES
        for path, size in ((self.data, blocks * BLOCK_BYTES), (self.digests, blocks * _DIGEST_BYTES)):
            with path.open("xb") as file:
                file.truncate(size)

    def write(self, index: int, block: bytes | bytearray | memoryview, digest: bytes) -> None:
        """Write a block of 512 KiB whose digest was checked. Zeros stay a hole where nothing was before."""
        with _opened(self.digests, os.O_RDWR) as digests:
            before = os.pread(digests, _DIGEST_BYTES, index * _DIGEST_BYTES)
            if digest != _ZEROS or before != _UNWRITTEN:
                with _opened(self.data, os.O_WRONLY) as data:
                    _write_all(data, block, index * BLOCK_BYTES)
            os.pwrite(digests, digest, index * _DIGEST_BYTES)

    def read(self, index: int) -> bytes:
        """A block's 512 KiB."""
        with _opened(self.data, os.O_RDONLY) as data:
            return os.pread(data, BLOCK_BYTES, index * BLOCK_BYTES)

    def digest(self, index: int) -> bytes:
        """The digest of a block, or nothing when it was not written here."""
        with _opened(self.digests, os.O_RDONLY) as digests:
            found = os.pread(digests, _DIGEST_BYTES, index * _DIGEST_BYTES)
        return found if found not in {_UNWRITTEN, b""} else b""

    def written(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Index and digest of every block that was written, from one on, ascending."""
        with _opened(self.digests, os.O_RDONLY) as digests:
            offset = start * _DIGEST_BYTES
            while (offset := _next_data(digests, offset)) >= 0:
                piece = os.pread(digests, _SCANNED_BYTES, offset)
                for place in range(0, len(piece), _DIGEST_BYTES):
                    found = piece[place : place + _DIGEST_BYTES]
                    if found != _UNWRITTEN:
                        yield (offset + place) // _DIGEST_BYTES, found
                offset += len(piece)

    def settle(self) -> None:
        """Return once everything is on the disk below."""
        for path in (self.data, self.digests):
            with _opened(path, os.O_RDWR) as file:
                os.fsync(file)


def linear(digests: Iterator[bytes]) -> bytes:
    """The aggregate digest that EBS calls LINEAR: of all blocks' digests one after the other."""
    whole = hashlib.sha256()
    for digest in digests:
        whole.update(digest)
    return whole.digest()


def holder(chain: Sequence[Disk], index: int) -> Disk | None:
    """The disk of a chain whose block counts, None when no disk has it."""
    return next((disk for disk in chain if disk.digest(index)), None)


def blocks(chain: Sequence[Disk], start: int = 0) -> Iterator[tuple[int, Disk]]:
    """Every block that a chain of disks has, from an index on, with the disk whose block counts."""

    def of_one(rank: int, disk: Disk) -> Iterator[tuple[int, int]]:
        return ((index, rank) for index, _ in disk.written(start))

    everything = merge(*(of_one(rank, disk) for rank, disk in enumerate(chain)))
    for index, found in groupby(everything, key=lambda pair: pair[0]):
        yield index, chain[next(found)[1]]


def changes(
    first: Sequence[Disk], second: Sequence[Disk], start: int = 0
) -> Iterator[tuple[int, Disk | None, Disk | None]]:
    """Every block that is not the same in two chains, with the disk that has it in each."""
    merged = merge(
        ((index, 0, disk) for index, disk in blocks(first, start)),
        ((index, 1, disk) for index, disk in blocks(second, start)),
        key=lambda found: found[:2],
    )
    for index, found in groupby(merged, key=lambda one: one[0]):
        sides = {side: disk for _, side, disk in found}
        if sides.get(0) != sides.get(1):
            yield index, sides.get(0), sides.get(1)


def _write_all(file: int, block: bytes | bytearray | memoryview, offset: int) -> None:
    left = memoryview(block)
    while left:
        count = os.pwrite(file, left, offset)
        left, offset = left[count:], offset + count


def _next_data(file: int, offset: int) -> int:
    """Where something was written from an offset on, on a digest's boundary; -1 when nothing was."""
    try:
        return max(offset, os.lseek(file, offset, os.SEEK_DATA) // _DIGEST_BYTES * _DIGEST_BYTES)
    except OSError:
        return -1


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)
