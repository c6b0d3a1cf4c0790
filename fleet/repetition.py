"""What in a script does not bear repeating: commands that, run twice, fail or do their work twice. Pure.

These are hints. A guard on the line or just above it silences one, or the words `# repeatable: why`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ABOVE = 4
_SILENCED = re.compile(r"#\s*repeatable:\s*\S")
_COMMENT = re.compile(r"^\s*#.*|\s#\s.*")


@dataclass(frozen=True)
class Habit:
    """A command that is seldom repeatable, what makes it so, and what to say where that is not seen."""

    command: re.Pattern[str]
    guard: re.Pattern[str]
    advice: str


def _habit(command: str, guard: str, advice: str) -> Habit:
    return Habit(re.compile(command), re.compile(guard or r"(?!)"), advice)


_NEVER = ""
HABITS = (
    _habit(
        r"\b(useradd|adduser)\b", r"\b(id|getent)\b", "fails when the user exists: ask `getent passwd` first"
    ),
    _habit(
        r"\b(groupadd|addgroup)\b",
        r"\bgetent\b|--force|\s-f\b",
        "fails when the group exists: ask `getent group`",
    ),
    _habit(
        r">>|\btee\s+(-a|--append)\b",
        r"\bgrep\b|BOOTSTRAP_CHANGES|>>\s*\"?/dev/",
        "appends once more at each run: write the whole file, or ask `grep -q` first",
    ),
    _habit(
        r"\bmkfs(\.\w+)?\b|\bmkswap\b|\bwipefs\s+-a",
        r"\b(blkid|lsblk|findfs|file\s+-s)\b",
        "wipes what is there: ask `blkid` first whether the volume is formatted",
    ),
    _habit(
        r"(?<!u)\bmount\s+(?!-o\s+remount)\S",
        r"\b(mountpoint|findmnt)\b|/proc/(self/)?mounts",
        "mounts once more: ask `mountpoint -q`",
    ),
    _habit(
        r"\bmkdir\s+(?!.*(-\w*p|--parents))",
        r"\[+ !? ?-[de] |\btest\b",
        "fails when the folder exists: `mkdir -p`",
    ),
    _habit(
        r"\bln\s+(?!.*(-\w*f|--force))\S",
        r"\[+ !? ?-[eLh] |\btest\b",
        "fails when the link exists: `ln -sfn`",
    ),
    _habit(
        r"\brm\s+(?!.*(-\w*f|--force))\S",
        r"\[+ -[efdL] |\btest\b",
        "fails when the file is gone already: `rm -f`",
    ),
    _habit(
        r"\bsystemctl\s+(restart|reload)\b",
        r"\b(cmp|diff|changed|if)\b|&&",
        "interrupts the service at each run: do it only when something has changed",
    ),
    _habit(
        r"\b(apt-get|apt|dnf|yum)\s+(-\w+\s+)*install\b|\bpip3?\s+install\b",
        _NEVER,
        "installs at boot: name it under Packages and have it baked in",
    ),
    _habit(
        r"\bsed\s+-i\b.*(\\?\$a|/a\\)",
        r"\bgrep\b",
        "adds the line once more at each run: ask `grep -q` first",
    ),
)


def hints(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers, and what may not bear repeating there."""
    lines = text.splitlines()
    code = [_COMMENT.sub("", line) for line in lines]
    for number, line in enumerate(code):
        if _SILENCED.search(lines[number]):
            continue
        near = "\n".join(code[max(0, number - _ABOVE) : number + 1])
        for habit in HABITS:
            found = habit.command.search(line)
            if found and not habit.guard.search(near):
                yield number + 1, f"`{found[0].strip()}` {habit.advice}"
