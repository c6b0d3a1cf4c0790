"""shellcheck, where it is installed: what it says of a shell script."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from fleet.script_findings import Finding, Weight

Ask = Callable[[Path], list[Finding]]
_WEIGHTS: dict[str, Weight] = {"error": "error", "warning": "error"}


def installed() -> bool:
    """Whether it can be asked."""
    return shutil.which("shellcheck") is not None


def ask(path: Path) -> list[Finding]:
    """Its findings on one script; its warnings count as errors, its lesser remarks as hints."""
    ended = subprocess.run(
        ["shellcheck", "--norc", "--format=json1", str(path)], capture_output=True, text=True, check=False
    )
    return read(path.name, ended.stdout)


def read(name: str, said: str) -> list[Finding]:
    """The findings that its JSON names."""
    comments = json.loads(said)["comments"] if said.strip() else []
    return [
        Finding(name, one["line"], _WEIGHTS.get(one["level"], "hint"), f"SC{one['code']}: {one['message']}")
        for one in comments
    ]
