"""The WSGI application: from the disk, else from the store, else rendered."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resizer import reply
from resizer.address import parse, path_of
from resizer.blob import Blob
from resizer.errors import MethodError, MissingError, RefusalError, ResizerError
from resizer.flight import Flight
from resizer.gate import Gate
from resizer.limits import Limits
from resizer.media import media_type
from resizer.pixels import render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from resizer.address import Address
    from resizer.cache import DiskCache
    from resizer.config import Config
    from resizer.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A result, and where it was found: disk, store, rendered, or shared with who found it."""

    blob: Blob
    media_type: str
    origin: str


def make_application(config: Config, store: Store, cache: DiskCache) -> WSGIApplication:
    """Return the application; it may be called by many threads at once."""
    desk = Desk(config, store, cache)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = desk.answer(environ)
        start_response(answer.status_line, list(answer.headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    return application


class Desk:
    """Answers requests for resized images."""

    def __init__(self, config: Config, store: Store, cache: DiskCache) -> None:
        self._config = config
        self._store = store
        self._cache = cache
        self._flight: Flight[Found] = Flight(cache.lock_dir, config.flight_seconds)
        self._gate = Gate(config.renders, config.queue_seconds)

    def answer(self, environ: WSGIEnvironment) -> reply.Reply:
        """Answer one request; refusals become replies, and from 500 upwards a line in the log too."""
        try:
            return self._respond(environ)
        except RefusalError as error:
            if error.status >= 500:
                _log.error("%a: %s %s %s", environ.get("PATH_INFO"), error.code, error, error.hint)
            return reply.refusal(error, self._config.error_max_age_seconds)

    def _respond(self, environ: WSGIEnvironment) -> reply.Reply:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            raise MethodError("Only GET and HEAD are understood.", "Upload images to the store, not here.")
        path = path_of(environ.get("PATH_INFO", ""))
        if path == "/health":
            return reply.health()
        found = self._find(self._address(path))
        age = self._config.max_age_seconds
        if reply.is_current(environ, found.blob):
            return reply.not_modified(found.blob, age)
        return reply.success(found.blob, found.media_type, found.origin, age)

    def _address(self, path: str) -> Address:
        return parse(path, self._config.rules)

    def _find(self, address: Address) -> Found:
        found = self._on_disk(address)
        if found is not None:
            return found
        landed = self._flight.run(address.result, lambda: self._bring(address))
        if not landed.led:
            return replace(landed.value, origin="shared")
        # After the landing, so that nobody waits for the upload who only wants the picture.
        if landed.value.origin == "rendered":
            self._keep(address, landed.value)
        return landed.value

    def _bring(self, address: Address) -> Found:
        """Get a result onto the disk. Another process may have done so since we looked."""
        found = self._on_disk(address)
        if found is None:
            found = self._in_store(address) or self._rendered(address)
            self._cache.write(address, found.blob)
        return found

    def _on_disk(self, address: Address) -> Found | None:
        return _recognised(self._cache.read(address), "disk")

    def _in_store(self, address: Address) -> Found | None:
        try:
            key = self._config.result(address.result)
            return _recognised(self._store.read(key, self._config.max_original_bytes), "store")
        except MissingError:
            return None

    def _rendered(self, address: Address) -> Found:
        config = self._config
        original = self._store.read(config.original(address.key), config.max_original_bytes)
        with self._gate.passage():
            options = replace(address.options, quality=address.options.quality or config.quality)
            limits = Limits(config.max_pixels, config.max_original_bytes)
            kept = (media_type(original.data) or "").removeprefix("image/") or "jpeg"
            picture = render(original.data, options, limits, kept)
        return Found(Blob(picture.data, original.modified), picture.media_type, "rendered")

    def _keep(self, address: Address, found: Found) -> None:
        """Share a result with the other nodes; if that fails they render it themselves."""
        try:
            self._store.write(self._config.result(address.result), found.blob, found.media_type)
        except ResizerError as error:
            _log.warning("The store did not keep the result %a: %s %s", address.path, error, error.hint)


def _recognised(blob: Blob | None, origin: str) -> Found | None:
    """Take what is kept for a result only if it looks like one: else it is rendered anew, and replaced."""
    kind = media_type(blob.data) if blob else None
    return Found(blob, kind, origin) if blob and kind else None
