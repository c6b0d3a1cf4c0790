"""The WSGI application: what Apache does not find on the disk is asked here."""

from __future__ import annotations

import logging
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

from resizer import accept, metrics, reply
from resizer.address import parse, path_of
from resizer.errors import MethodError, MissingError, RefusalError
from resizer.flight import Flight
from resizer.health import Health
from resizer.ladder import Found, Ladder, Wanted
from resizer.originals import Originals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from resizer.address import Address
    from resizer.config import Config
    from resizer.job import Done
    from resizer.ladder import Tools

_log = logging.getLogger(__name__)
_FALLBACKS = 64  # renderings of the fallback image that a process remembers
_FALLS_BACK = frozenset({404, 415, 422})


def make_application(config: Config, tools: Tools) -> WSGIApplication:
    """Return the application; it may be called by many threads at once. Raises ConfigError."""
    desk = Desk(config, tools)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = desk.answer(environ)
        start_response(answer.status_line, list(answer.headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    return application


class Desk:
    """Answers requests for resized images."""

    def __init__(self, config: Config, tools: Tools) -> None:
        self._config = config
        self._rules = config.rules
        self._manners = reply.Manners(config)
        self._health = Health(config, tools)
        lock_dir = config.run_dir / "locks" if config.run_dir else tools.cache.lock_dir
        self._ladder = Ladder(config, tools, Flight[Found](lock_dir, config.flight_seconds))
        self._fallback = config.fallback.read_bytes() if config.fallback else None
        self._as_fallback = lru_cache(_FALLBACKS)(self._rendered_fallback)
        self._originals = Originals(config, tools)

    def answer(self, environ: WSGIEnvironment) -> reply.Reply:
        """Answer one request; refusals become replies, and from 500 upwards a line in the log too."""
        # Apache with mod_unique_id has given the request a name already, and puts it into the reply too.
        given = environ.get("UNIQUE_ID")
        request_id = str(given or secrets.token_urlsafe(12))
        answer = self._answer(environ, request_id)
        return answer if given else answer.identified(request_id)

    def _answer(self, environ: WSGIEnvironment, request_id: str) -> reply.Reply:
        try:
            return self._respond(environ)
        except RefusalError as error:
            metrics.ERRORS.labels(error.code).inc()
            if error.status >= 500:
                path = environ.get("PATH_INFO")
                _log.error("%s %a: %s %s %s", request_id, path, error.code, error, error.hint)
            return self._refusal(environ, error)

    def _respond(self, environ: WSGIEnvironment) -> reply.Reply:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            raise MethodError("Only GET and HEAD are understood.", "Upload images to the store, not here.")
        path = path_of(environ.get("PATH_INFO", ""))
        own: dict[str, Callable[[], reply.Reply]] = {
            "/health": reply.health,
            "/health/deep": self._health.reply,
            "/metrics": lambda: reply.plain(metrics.text(), metrics.CONTENT_TYPE),
        }
        answer = own.get(path)
        if answer is not None:
            return answer()
        wanted = self._wanted(environ)
        found = self._ladder.find(wanted)
        metrics.ANSWERS.labels(found.origin).inc()
        return self._manners.image(environ, wanted, found)

    def _wanted(self, environ: WSGIEnvironment) -> Wanted:
        address = parse(path_of(environ.get("PATH_INFO", "")), self._rules)
        if address.format != "auto":
            return Wanted(address)
        best = accept.best(environ.get("HTTP_ACCEPT", ""), address.key)
        return Wanted(address.negotiated(best), negotiated=True)

    def _refusal(self, environ: WSGIEnvironment, error: RefusalError) -> reply.Reply:
        if self._fallback is not None and error.status in _FALLS_BACK:
            try:
                done = self._as_fallback(self._wanted(environ).address)
            except RefusalError:
                _log.exception("The fallback image cannot be rendered")
            else:
                return self._manners.fallback(error, done.result.data, done.result.media_type)
        return self._manners.refusal(error)

    def _rendered_fallback(self, address: Address) -> Done:
        if self._fallback is None:
            raise MissingError("There is no fallback image.", "Name one in the configuration.")
        return self._originals.as_rendered(address, self._fallback)
