"""Purges: how all nodes get to know that an original has changed, or that its results shall go.

Whoever purges a key removes its results and its master from the store, then leaves a marker there, named by
the time; every node's keeper polls the markers and removes what its own disk has of these keys.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resizer import metrics
from resizer.blob import Blob
from resizer.errors import MissingError, StoreDeniedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.cache import DiskCache
    from resizer.config import Config
    from resizer.store import Store

# A marker older than this has been seen by every node; one that was away for longer empties its cache.
KEPT_SECONDS = 7 * 86_400
# Clocks of writers differ, and a bucket may list a marker late: so each poll looks back this far.
OVERLAP_SECONDS = 600
_MAX_BYTES = 1 << 16
_log = logging.getLogger(__name__)


def purge(store: Store, config: Config, key: str, clock: Callable[[], float] = time.time) -> None:
    """Remove all results of `key` from the store, and tell all nodes to do so. Raises StoreError."""
    _forget(store, config, key)
    announce(store, config, key, clock)
    # Once more: a node may have stored a result of the old original in between.
    _forget(store, config, key)


def tell(store: Store, config: Config, key: str) -> None:
    """Purge a key as far as this node may: without leave to delete, results stay until they are old."""
    try:
        purge(store, config, key)
    except StoreDeniedError:
        announce(store, config, key)


def announce(store: Store, config: Config, key: str, clock: Callable[[], float] = time.time) -> None:
    """Leave the marker alone."""
    now = clock()
    name = f"{_markers(config)}{int(now * 1000):015d}-{secrets.token_hex(4)}"
    store.write(name, Blob(json.dumps({"key": key}).encode(), int(now)), "application/json")


def master_key(config: Config, key: str) -> str:
    """Return where the store keeps the master of an original."""
    return f"{config.results_prefix}/.masters/{key}"


def _forget(store: Store, config: Config, key: str) -> None:
    options = [each for each in store.folders(f"{config.results_prefix}/") if not each.startswith(".")]
    store.delete([config.result(f"{each}/{key}") for each in options] + [master_key(config, key)])


def _markers(config: Config) -> str:
    return f"{config.results_prefix}/.purges/"


@dataclass
class Watch:
    """What one node has seen of the markers; `poll` applies the rest."""

    store: Store
    config: Config
    cache: DiskCache
    clock: Callable[[], float] = time.time
    seen: dict[str, float] = field(default_factory=dict)

    def poll(self, last: float) -> float:
        """Apply the markers left since `last` (seconds since 1970); return the time of this poll.

        Raises StoreError or StoreTimeoutError: then `last` is still the time to look back to.
        """
        now = self.clock()
        begin = max(last, now - KEPT_SECONDS) - OVERLAP_SECONDS
        prefix = _markers(self.config)
        for name in self.store.names(prefix, f"{prefix}{int(begin * 1000):015d}"):
            if name not in self.seen:
                self._apply(name)
                self.seen[name] = now
        self.seen = {name: at for name, at in self.seen.items() if at > now - 3 * OVERLAP_SECONDS}
        return now

    def sweep(self) -> None:
        """Remove the markers that every node has seen."""
        prefix = _markers(self.config)
        oldest = f"{prefix}{int((self.clock() - KEPT_SECONDS - OVERLAP_SECONDS) * 1000):015d}"
        outdated = []
        for name in self.store.names(prefix):
            if name >= oldest:
                break
            outdated.append(name)
        if outdated:
            self.store.delete(outdated)

    def _apply(self, name: str) -> None:
        try:
            key = json.loads(self.store.read(name, _MAX_BYTES).data)["key"]
        except MissingError:
            return
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("The purge %s is not one: %s", name, error)
            return
        gone = self.cache.purge(str(key))
        metrics.PURGES.inc()
        _log.info("Purged %a: %s files", key, gone)
