"""Running the scripts of a list.

One after the other, each with its own inputs and nothing left of them after.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.clock import Clock
from bootstrap.errors import BootstrapError
from bootstrap.execution import TIMED_OUT, Order
from bootstrap.inputs import effective
from bootstrap.shelf import Shelf, Shelved
from bootstrap.state import Result
from bootstrap.typed import is_secret
from bootstrap.values import Secret, values

Execute = Callable[[Order, Callable[[str], None], Callable[[], None]], int]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHORTEST_SECRET = 4
HIDDEN = "********"


@dataclass(frozen=True)
class Runner:
    """How scripts are run here. `passed` is what each gets in its environment beside its inputs."""

    shelf: Shelf
    execute: Execute
    clock: Clock
    say: Callable[[str], None]
    given: Mapping[str, str]
    environment: Mapping[str, str]
    secret: Secret
    meanwhile: Callable[[], None]
    longest_seconds: float
    passed: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    def run(self, script: Shelved) -> Result:
        """Run a script and say in one line what it did; its failure is in the result."""
        start = self.clock.monotonic()
        changed: list[str] = []
        error = ""
        if self.dry_run and not script.heeds_dry_run:
            changed = ["would run"]
        else:
            try:
                error = self._attempt(script, changed)
            except (BootstrapError, OSError) as why:
                hint = getattr(why, "hint", "")
                error = f"{why} ({hint})" if hint else str(why)
        seconds = round(self.clock.monotonic() - start, 3)
        result = Result(script.header.name, tuple(changed), seconds, error)
        self.say(result.line())
        return result

    def _attempt(self, script: Shelved, changed: list[str]) -> str:
        found = values(script.header, self.given, self.environment, self.secret)
        hide = Hiding([found[name] or "" for name in self._secrets(script)])
        last: list[str] = []

        def hear(line: str) -> None:
            text = hide(line)
            last[:] = [text] if text.strip() else last
            self.say(f"{script.header.name}| {text}")

        folder = Path(tempfile.mkdtemp(prefix="node-bootstrap-"))
        try:
            changes = folder / "changes"
            (cwd := folder / "cwd").mkdir()
            its = {name: value for name, value in found.items() if value is not None}
            environment = {**self.passed, **self._told(changes), **its}
            order = Order(script.path, environment, cwd, self.longest_seconds)
            code = self.execute(order, hear, self.meanwhile)
            if changes.exists():
                changed += [hide(line) for line in changes.read_text(errors="replace").splitlines() if line]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._verdict(code, last)

    def _verdict(self, code: int, last: Sequence[str]) -> str:
        if code == 0:
            return ""
        if code == TIMED_OUT:
            return f"took longer than {self.longest_seconds:g} s and was ended"
        if code < 0:
            return f"killed by signal {-code}"
        return last[0].removeprefix("error: ") if last else f"exit code {code}"

    def _secrets(self, script: Shelved) -> list[str]:
        specs = script.header.inputs.values()
        return [one.name for one in specs if is_secret(effective(one, self.given))]

    def _told(self, changes: Path) -> dict[str, str]:
        return {
            "PATH": _PATH,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "RS_ATTACH_DIR": str(self.shelf.attachments),
            "BOOTSTRAP_CHANGES": str(changes),
            "BOOTSTRAP_DRY_RUN": "1" if self.dry_run else "",
            "BOOTSTRAP_GIVEN": json.dumps(dict(self.given)),
        }


class Hiding:
    """Takes secrets out of what scripts say."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # A secret of several lines, such as a key, is written line by line.
        pieces = {
            piece.strip()
            for secret in secrets
            for piece in (secret, *secret.splitlines(), *secret.split(","))
        }
        self._pieces = sorted((one for one in pieces if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        for piece in self._pieces:
            text = text.replace(piece, HIDDEN)
        return text
