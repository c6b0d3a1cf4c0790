"""The deep check: whether this node really decodes, scales, stores and fetches."""

from __future__ import annotations

import json
import logging
import threading
import time
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resizer import reply, wholefile
from resizer.address import Address
from resizer.errors import MissingError, ResizerError
from resizer.options import Options
from resizer.originals import Originals

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.config import Config
    from resizer.ladder import Tools

REMEMBERED_SECONDS = 5.0  # many balancers ask, and each answer is a rendering
_PROBE = "health-probe"  # no such original need exist: that the store knows so is the answer
# 8 x 8 pixels, a diagonal gradient.
_PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mNkEIAAJgGKGACOGAQAwSeVywAAAABJRU5ErkJggg=="
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What each part says: `ok`, or a sentence."""

    parts: dict[str, str]

    @property
    def well(self) -> bool:
        """Tell whether all parts work."""
        return set(self.parts.values()) == {"ok"}


class Health:
    """Examines the node, at most once in `REMEMBERED_SECONDS`."""

    def __init__(self, config: Config, tools: Tools, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._tools = tools
        self._clock = clock
        self._originals = Originals(config, tools)
        self._guard = threading.Lock()
        self._last: tuple[float, Finding] | None = None

    def reply(self) -> reply.Reply:
        """Tell in JSON: 200 if all is well, else 503."""
        finding = self.examine()
        body = json.dumps(finding.parts).encode() + b"\n"
        return reply.plain(body, "application/json", 200 if finding.well else 503)

    def examine(self) -> Finding:
        """Try each part."""
        with self._guard:
            if self._last is None or self._clock() - self._last[0] >= REMEMBERED_SECONDS:
                checks = {"render": self._render, "store": self._store, "disk": self._disk}
                finding = Finding({name: _tried(name, check) for name, check in checks.items()})
                self._last = (self._clock(), finding)
            return self._last[1]

    def _render(self) -> None:
        address = Address(Options(width=4, format="jpeg"), "probe.png", "")
        done = self._originals.as_rendered(address, _PICTURE)
        if (done.result.width, done.result.height) != (4, 4):
            raise ResizerError("The built-in image came out in another size.", "See to the renderers.")

    def _store(self) -> None:
        try:
            self._tools.store.etag(self._config.original(_PROBE))
        except MissingError:
            return

    def _disk(self) -> None:
        path = self._tools.cache.root / f"{wholefile.TEMPORARY_PREFIX}health"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"ok")
            path.unlink()
        except OSError as error:
            raise ResizerError(f"The disk cache cannot be written: {error.strerror}.", "") from error


def _tried(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except ResizerError as error:
        _log.warning("The node is not well: %s: %s %s", name, error, error.hint)
        return str(error)
    return "ok"
