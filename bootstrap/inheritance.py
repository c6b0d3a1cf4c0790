"""What a node may have inherited.

An image made of another node holds that one's inputs, which must not be used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bootstrap.managed_file import draft_of


def disown(record: Path, files: Sequence[Path], instance_id: str, say: Callable[[str], None]) -> None:
    """Remove files that were handed to another instance, and note which are this one's.

    A file is another's when it is the very one, by its time of writing, that is on record for that instance:
    what cloud-init was told for this one, it has written anew. Raises OSError when the disk refuses.
    """
    if not instance_id:
        return
    known = _load(record)
    owner = known.get("instance_id")
    if owner and owner != instance_id:
        for path in files:
            if path.exists() and known.get(str(path)) == path.stat().st_mtime_ns:
                path.unlink()
                say(f"{path}: was {owner}'s, of which this node's image was made; removed")
    now = {"instance_id": instance_id, **{str(one): one.stat().st_mtime_ns for one in files if one.exists()}}
    if now != known:
        record.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with draft_of(record) as draft:
            os.write(draft, json.dumps(now).encode())


def _load(record: Path) -> dict[str, object]:
    try:
        held = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
