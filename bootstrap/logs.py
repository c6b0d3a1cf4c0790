"""The node's log in CloudWatch Logs: what its journal and Apache's error log have had since."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bootstrap.act import Act
from bootstrap.errors import BootstrapError
from bootstrap.log_event import Event, batches, of_error_log, of_journal
from bootstrap.log_file import lines, unread
from bootstrap.log_stream import LogStream
from bootstrap.managed_file import draft_of

_KEPT = Path("/var/lib/amibake/shipped.json")
_ERROR_LOG = "/var/log/apache2/error.log"
_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT"
# What is read at once; there is more where it is used up.
_MOST_LINES = 10_000
_MOST_BYTES = 4 << 20
_MOST_LOOKS = 20


@dataclass(frozen=True)
class Place:
    """How far a node's logs have been shipped: the journal's cursor, and the error log's file and offset."""

    instance_id: str
    cursor: str = ""
    inode: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Look:
    """What there was to ship from a place on, and the place after it; `full` where there may be more."""

    events: list[Event]
    after: Place
    full: bool = False


def ship(act: Act, kept: Path = _KEPT) -> None:
    """Put what is new into the node's stream of LOG_GROUP, where there is one; with nothing new, call nobody.

    What could not be sent is said in a line, and sent next time: some of it twice, none of it never.
    """
    if not act.text("LOG_GROUP") or not act.instance_id or act.dry_run:
        return
    try:
        for _ in range(_MOST_LOOKS):
            if not _ship_some(act, kept):
                return
    except (BootstrapError, OSError, ValueError) as why:
        act.say(f"logs: not shipped, the next time will: {why}")


def _ship_some(act: Act, kept: Path) -> bool:
    """Ship one look's events; returns whether there may be more."""
    before = _load(kept, act.instance_id)
    found = look(act, before)
    if found.events:
        stream = LogStream(act.brief_api, act.text("LOG_GROUP"), act.instance_id)
        for batch in batches(found.events):
            stream.put([one.document() for one in batch])
    if found.after != before:
        _save(kept, found.after)
    return found.full


def look(act: Act, before: Place) -> Look:
    """What the logs have had since a place. Raises ServiceError, OSError or ValueError."""
    entries = [json.loads(line) for line in act.run(_journalctl(before)).splitlines()]
    apache = _of_apache(act, before)
    # At first there is this boot's journal; what Apache wrote before was another node's, or told then.
    oldest = 0 if before.cursor or not entries else int(entries[0]["__REALTIME_TIMESTAMP"]) // 1000
    events = [one for one in map(of_journal, entries) if one]
    events += [one for one in apache.events if one.at >= oldest]
    cursor = str(entries[-1]["__CURSOR"]) if entries else before.cursor
    return Look(events, replace(apache.after, cursor=cursor), apache.full or len(entries) == _MOST_LINES)


def _journalctl(before: Place) -> list[str]:
    since = f"--after-cursor={before.cursor}" if before.cursor else "--boot"
    # --all: without it a long message is shown as `null`.
    shown = ["--all", "--output=json", f"--output-fields={_FIELDS}"]
    return ["journalctl", "--quiet", since, f"--lines=+{_MOST_LINES}", *shown]


def _of_apache(act: Act, before: Place) -> Look:
    """What Apache's error log has had since a place, its end before a rotation included."""
    path, now = Path(act.text("ERROR_LOG", _ERROR_LOG)), int(act.clock.now().timestamp() * 1000)
    found: list[Event] = []
    after, left, at = before, _MOST_BYTES, now
    for file, first in unread(path, before.inode, before.offset) if path.exists() else ():
        with file.open("rb") as held:
            inode, end = os.fstat(held.fileno()).st_ino, first
            held.seek(first)
            for line in lines(held):
                if left <= 0:
                    return Look(found, replace(before, inode=inode, offset=end), full=True)
                event = of_error_log(line.decode(errors="replace"), at, now)
                if event:
                    found.append(event)
                    at = event.at
                end, left = end + len(line), left - len(line)
        after = replace(before, inode=inode, offset=end)
    return Look(found, after)


def _load(kept: Path, instance_id: str) -> Place:
    """Where the last time got to; the beginning for an instance that has shipped nothing yet."""
    try:
        place = Place(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Place(instance_id)
    return place if place.instance_id == instance_id else Place(instance_id)


def _save(kept: Path, place: Place) -> None:
    kept.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with draft_of(kept) as draft:
        os.write(draft, json.dumps(asdict(place)).encode())
