"""Originals and their masters: from which of them a result is rendered, and whether it has changed since."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resizer import metrics
from resizer.blob import Blob
from resizer.decode import BROKEN
from resizer.errors import MissingError, UndecodableError
from resizer.job import Job
from resizer.limits import Limits
from resizer.master import suffices
from resizer.purges import master_key

if TYPE_CHECKING:
    from resizer.address import Address
    from resizer.config import Config
    from resizer.job import Done
    from resizer.ladder import Tools

_HEAD_BYTES = 4096  # of a master: enough for `suffices`
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A rendered result, and what it was made of: `original` or `master`."""

    blob: Blob
    media_type: str
    source: str


class Originals:
    """Renders from the cheapest source that will do."""

    def __init__(self, config: Config, tools: Tools) -> None:
        self._config = config
        self._tools = tools
        self._limits = Limits(
            max_pixels=config.max_pixels,
            max_bytes=config.max_original_bytes,
            max_frames=config.max_frames,
            max_animated_pixels=config.max_animated_pixels,
            max_output_pixels=config.max_output_pixels,
            decode_seconds=config.decode_seconds,
            formats=frozenset(config.formats),
        )

    def rendered(self, address: Address) -> Made:
        """Render a result. Raises RefusalError."""
        master = self._master(address) if self._config.masters else None
        if master is not None:
            try:
                return self._made(address, master, "master", 0)
            except UndecodableError as error:
                _log.warning("The master of %a is broken, and made anew: %s", address.key, error)
        original = self._read(self._config.original(address.key))
        side = self._config.master_side if self._config.masters else 0
        return self._made(address, replace(original, source=original.etag), "original", side)

    def has_changed(self, key: str, made: Blob) -> bool:
        """Tell whether the original is another one by now; asked only of what was stored a while ago."""
        age = self._config.revalidate_seconds
        if not age or self._tools.clock() - made.stored <= age:
            return False
        try:
            return self._tools.store.etag(self._config.original(key)) != made.source
        except MissingError:
            return True

    def as_rendered(self, address: Address, data: bytes) -> Done:
        """Render any bytes as the address wants its original to be. Raises RefusalError."""
        return self._tools.renderer.render(self._job(address, 0), data)

    def _made(self, address: Address, source: Blob, kind: str, side: int) -> Made:
        metrics.BYTES_IN.inc(len(source.data))
        done = self._tools.renderer.render(self._job(address, side), source.data)
        metrics.STAGES.labels("render").observe(done.seconds)
        if not side:
            metrics.MASTERS.labels("used").inc()
        elif done.master is None:
            metrics.MASTERS.labels("not worth it").inc()
        else:
            metrics.MASTERS.labels("made").inc()
            self._keep_master(address.key, Blob(done.master.data, source.modified, source=source.source))
        blob = Blob(done.result.data, source.modified, source=source.source)
        return Made(blob, done.result.media_type, kind)

    def _job(self, address: Address, side: int) -> Job:
        options = address.options
        quality = self._config.quality if options.quality is None else options.quality
        return Job(replace(options, quality=quality), address.format, self._limits, side)

    def _master(self, address: Address) -> Blob | None:
        age, cache = self._config.revalidate_seconds, self._tools.cache
        here = cache.master(address.key, self._tools.clock() - age if age else 0.0)
        blob = here or self._stored_master(address.key)
        if blob is None or not _suffices(blob, address):
            return None
        if here and cache.results(address.key) == 1:
            self._share_master(address.key, here)
        return blob

    def _stored_master(self, key: str) -> Blob | None:
        try:
            blob = self._read(master_key(self._config, key))
        except MissingError:
            return None
        if not blob.source or self.has_changed(key, blob):
            return None
        self._tools.cache.write_master(key, blob)
        return blob

    def _keep_master(self, key: str, blob: Blob) -> None:
        """Keep a master on the disk; in the store only from the second size on, as there may never be one."""
        self._tools.cache.write_master(key, blob)
        if self._tools.cache.results(key):
            self._share_master(key, blob)

    def _share_master(self, key: str, blob: Blob) -> None:
        name, store = master_key(self._config, key), self._tools.store
        self._tools.uploads.add(name, lambda: store.write(name, blob, "image/jpeg"))

    def _read(self, key: str) -> Blob:
        begun = time.monotonic()
        try:
            return self._tools.store.read(key, self._config.max_original_bytes)
        finally:
            metrics.STAGES.labels("fetch").observe(time.monotonic() - begun)


def _suffices(blob: Blob, address: Address) -> bool:
    with contextlib.suppress(*BROKEN):
        return suffices(blob.data[:_HEAD_BYTES], address.options)
    return False
