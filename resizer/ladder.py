"""The ladder of a request: disk, store, master, original. What is found below is kept on every rung above."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resizer import metrics
from resizer.absences import Absences
from resizer.blob import Blob
from resizer.errors import MissingError, RefusalError
from resizer.flight import Flight
from resizer.gate import Gate
from resizer.media import media_type
from resizer.originals import Originals
from resizer.purges import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.address import Address
    from resizer.cache import DiskCache
    from resizer.config import Config
    from resizer.renderer import Renderer
    from resizer.store import Store
    from resizer.uploads import Uploads

# Requests that wait for the store, beside those that wait for a renderer.
FETCHES = 16


@dataclass(frozen=True)
class Wanted:
    """A result whose format is decided; `negotiated` if the client's Accept header decided it."""

    address: Address
    negotiated: bool = False


@dataclass(frozen=True)
class Found:
    """A result, and where it was found: disk, s3, render, or shared with who found it."""

    blob: Blob
    media_type: str
    origin: str


@dataclass(frozen=True)
class Tools:
    """What the ladder stands on."""

    store: Store
    cache: DiskCache
    renderer: Renderer
    uploads: Uploads
    clock: Callable[[], float] = time.time


class Ladder:
    """Finds results; many threads may do so at once."""

    def __init__(self, config: Config, tools: Tools, flight: Flight[Found]) -> None:
        self._config = config
        self._tools = tools
        self._cache = tools.cache
        self._flight = flight
        self._originals = Originals(config, tools)
        self._absences = Absences(config.error_max_age_seconds)
        places = config.renders + config.queue_length + FETCHES
        self._admission = Gate(places, 0, "The node holds as many requests for new results as it agrees to.")

    def find(self, wanted: Wanted) -> Found:
        """Return the result, making it if need be. Raises RefusalError."""
        found = self._on_disk(wanted)
        if found is not None:
            return found
        self._absences.check(wanted.address)
        with self._admission.passage():
            return self._share(wanted)

    def _share(self, wanted: Wanted) -> Found:
        landed = self._flight.run(wanted.address.result, lambda: self._bring(wanted))
        if landed.led:
            return landed.value
        metrics.FLIGHT_WAITS.labels("shared").inc()
        if self._cache.read(wanted.address, negotiated=wanted.negotiated) is None:
            # Another URL of the same result brought it: under this one Apache would not find it.
            self._keep(wanted, landed.value.blob)
        return replace(landed.value, origin="shared")

    def _bring(self, wanted: Wanted) -> Found:
        """Get a result onto the disk. Another process may have done so since we looked."""
        found = self._on_disk(wanted)
        if found is None:
            try:
                found = self._in_store(wanted.address) or self._rendered(wanted.address)
            except RefusalError as error:
                self._absences.note(wanted.address, error)
                raise
            self._keep(wanted, found.blob)
            if found.origin == "render":
                self._store(self._config.result(wanted.address.result), found.blob, found.media_type)
        return found

    def _keep(self, wanted: Wanted, blob: Blob) -> None:
        begun = time.monotonic()
        self._cache.write(wanted.address, blob, negotiated=wanted.negotiated)
        metrics.STAGES.labels("keep").observe(time.monotonic() - begun)

    def _on_disk(self, wanted: Wanted) -> Found | None:
        return _recognised(self._cache.read(wanted.address, negotiated=wanted.negotiated), "disk")

    def _in_store(self, address: Address) -> Found | None:
        config = self._config
        try:
            blob = self._tools.store.read(config.result(address.result), config.max_original_bytes)
        except MissingError:
            return None
        found = _recognised(blob, "s3")
        if found is not None and self._originals.has_changed(address.key, blob):
            self._forget(address.key)
            return None
        return found

    def _rendered(self, address: Address) -> Found:
        made = self._originals.rendered(address)
        metrics.RENDERS.labels(address.format, made.source).inc()
        metrics.BYTES_OUT.inc(len(made.blob.data))
        return Found(made.blob, made.media_type, "render")

    def _store(self, key: str, blob: Blob, kind: str) -> None:
        self._tools.uploads.add(key, lambda: self._tools.store.write(key, blob, kind))

    def _forget(self, key: str) -> None:
        """Have all that was made of an older original removed, here at once and elsewhere soon."""
        self._cache.purge(key)
        self._tools.uploads.add(f"the purge of {key}", lambda: tell(self._tools.store, self._config, key))


def _recognised(blob: Blob | None, origin: str) -> Found | None:
    """Take what is kept for a result only if it looks like one: else it is rendered anew, and replaced."""
    kind = media_type(blob.data) if blob else None
    return Found(blob, kind, origin) if blob and kind else None
