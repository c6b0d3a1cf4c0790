"""The keeper: one process of a node that looks after its disk cache.

    python -m resizer.keeper      (resizer-keeper.service on a node)

It applies purges within `purge_poll_seconds`, removes results that came to this disk more than
`revalidate_seconds` ago (so that they are asked of the store again, which compares them with their originals)
and evicts what is least used when the disk fills up.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from resizer import config as configuration
from resizer import metrics, wholefile
from resizer.blob import Blob
from resizer.cache import DiskCache
from resizer.errors import ResizerError
from resizer.eviction import Budget, Cleaner
from resizer.opening import open_store
from resizer.purges import KEPT_SECONDS, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.config import Config
    from resizer.store import Store

CLEAN_SECONDS = 60.0  # between the end of a walk and the next, unless the disk fills up meanwhile
WALK_SHARE = 30  # a walk is followed by at least so many times its duration
_SWEEP_SECONDS = 86_400.0
_log = logging.getLogger(__name__)


class Keeper:
    """Does what is due; `wait` sleeps, and returns True when it is time to end."""

    def __init__(
        self,
        config: Config,
        store: Store,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._clock = clock
        self._wait = wait
        self._cache = DiskCache(config.cache_dir)
        self._watch = Watch(store, config, self._cache, clock)
        self._note = config.cache_dir / ".purged"
        budget = Budget(config.cache_high_percent, config.cache_low_percent, config.cache_max_bytes)
        self._cleaner = Cleaner(config.cache_dir, budget, self._between, clock)
        self._last = 0.0
        self._polled = 0.0
        self._failing = False

    def run(self) -> None:
        """Work until `wait` says to end."""
        self.begin()
        swept = 0.0
        while True:
            if self._clock() - swept > _SWEEP_SECONDS:
                swept = self._clock() if self.poll(self._watch.sweep) else swept
            begun = self._clock()
            self.clean()
            # However many files there are, walking takes a small share of the time.
            until = self._clock() + max(CLEAN_SECONDS, WALK_SHARE * (self._clock() - begun))
            while True:
                # At least once: a disk that others fill, or that is read-only, is not emptied by walking.
                self.poll()
                if self._wait(min(self._config.purge_poll_seconds, CLEAN_SECONDS)):
                    return
                if self._clock() >= until or self._cleaner.is_full():
                    break

    def begin(self) -> None:
        """Read how far purges had been applied, or empty a cache that has missed some."""
        now = self._clock()
        self._config.cache_dir.mkdir(parents=True, exist_ok=True)
        settings = self._settings()
        try:
            note = json.loads(self._note.read_text())
            current = now - note["at"] < KEPT_SECONDS and note["settings"] == settings
            self._last = float(note["at"])
        except (OSError, ValueError, KeyError, TypeError):
            current = False
        if not current:
            # Files of unknown age, or made under other settings, may be wrong; the store has the right ones.
            self._cleaner.clean(oldest=now)
            self._last = now

    def poll(self, task: Callable[[], object] | None = None) -> bool:
        """Apply new purges, or do another task with the store; tell whether that went well."""
        try:
            if task is None:
                self._last = self._watch.poll(self._last)
                self._remember()
            else:
                task()
        except (ResizerError, OSError) as error:
            if not self._failing:
                _log.warning("Purges cannot be read: %s %s", error, getattr(error, "hint", ""))
            self._failing = True
            return False
        self._failing = False
        self._polled = self._clock()
        return True

    def clean(self) -> None:
        """Walk the cache once."""
        age = self._config.revalidate_seconds
        # While the store cannot be asked, what is here is better than nothing, however old.
        expires = age and not self._failing
        try:
            left, gone = self._cleaner.clean(self._clock() - age if expires else 0.0)
        except OSError as error:
            _log.warning("The disk cache cannot be cleaned: %s", error)
            return
        metrics.CACHE_FILES.set(left.files)
        metrics.CACHE_BYTES.set(left.bytes)
        metrics.EVICTIONS.inc(gone.files)
        metrics.EVICTED_BYTES.inc(gone.bytes)

    def _between(self, seconds: float) -> None:
        """Rest as long as the shard has taken, and do not let purges wait for a walk of hours."""
        if self._clock() - self._polled > self._config.purge_poll_seconds and self._polled:
            self.poll()
        self._wait(min(seconds, 1.0))

    def _settings(self) -> str:
        """Return what decides how a URL's result looks: files made under other settings are wrong."""
        config = self._config
        store = config.bucket or config.folder
        return f"{sorted(config.presets.items())} {config.quality} {store} {config.prefix}"

    def _remember(self) -> None:
        note = json.dumps({"at": self._last, "settings": self._settings()}).encode()
        wholefile.write(self._note, Blob(note, int(self._last)))


def main() -> None:
    """Work until SIGTERM. Raises ConfigError."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = configuration.read(Path(os.environ.get("RESIZER_CONFIG", "/etc/resizer.toml")))
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    Keeper(config, open_store(config), ending.wait).run()


if __name__ == "__main__":
    main()
