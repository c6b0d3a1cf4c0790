"""Disks of snapshots, apart from the API: which block counts in a chain, and what tells chains apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

from localcloud.disks import BLOCK_BYTES, Disk, blocks, changes, linear


def block(text: str) -> bytes:
    return text.encode().ljust(BLOCK_BYTES, b".")


def test_the_newest_disk_of_a_chain_counts(tmp_path: Path) -> None:
    def disk(name: str, *written: int) -> Disk:
        made = Disk(tmp_path, name)
        made.make(1)
        for index in written:
            data = block(f"{name} {index}")
            made.write(index, data, hashlib.sha256(data).digest())
        return made

    old, mid, new = disk("old", 0, 1, 2), disk("mid", 1, 1500), disk("new", 2)
    assert list(blocks([new, mid, old])) == [(0, old), (1, mid), (2, new), (1500, mid)]
    assert list(blocks([new, mid, old], 2)) == [(2, new), (1500, mid)]
    assert list(changes([mid, old], [new, mid, old])) == [(2, old, new)]


def test_a_disk_that_nothing_was_written_to_has_no_blocks(tmp_path: Path) -> None:
    empty = Disk(tmp_path, "empty")
    empty.make(1)
    assert list(empty.written()) == []
    assert linear(digest for _, digest in empty.written()) == hashlib.sha256().digest()
