"""The AWS API as a WSGI application: faults before moto, and after it what must follow a change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from localcloud.faults import Faults, Refused
from localcloud.request import Request, request_of

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Pages = dict[str, Callable[[dict[str, Any]], dict[str, Any]]]
"""Path -> what makes a page's document of the JSON document that was sent, an empty one when none was."""


class Endpoint:
    """Answers AWS requests, and beside them the daemon's own pages below `/local-cloud/`."""

    def __init__(
        self,
        aws: App,
        passing: Callable[[], AbstractContextManager[None]],
        changed: Callable[[Request], None],
        faults: Faults,
        pages: Pages,
        heard: Callable[[Request, str], None] = lambda *_: None,
    ) -> None:
        self._aws = aws
        self._passing = passing
        self._changed = changed
        self._faults = faults
        self._pages = pages
        self._heard = heard

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        page = self._pages.get(str(environ.get("PATH_INFO")))
        if page is not None:
            return _page(page, environ, start_response)
        request = request_of(environ)
        self._heard(request, str(environ.get("REMOTE_ADDR", "")))
        refusal = self._faults.before(request)
        if refusal is not None:
            kind, body = refusal.body(request.service)
            return _reply(start_response, f"{refusal.status} Fault", kind, body)
        if not request.changes:
            return self._aws(environ, start_response)
        with self._passing():
            answer = list(self._aws(environ, start_response))
        self._faults.after(request, answer)
        self._changed(request)
        return answer


def fault_pages(faults: Faults) -> Pages:
    """The page that shows and sets faults."""

    def page(wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted.get("clear"):
            faults.clear()
        if "refuse" in wanted:
            faults.refuse(Refused(**wanted["refuse"]))
        if "late_seconds" in wanted:
            faults.show_late(float(wanted["late_seconds"]))
        if "dead_machines" in wanted:
            faults.lose_machines(int(wanted["dead_machines"]))
        if "full_zone" in wanted:
            faults.fill_zone(str(wanted["full_zone"]))
        return faults.document()

    return {"/local-cloud/faults": page}


def _page(
    page: Callable[[dict[str, Any]], dict[str, Any]], environ: dict[str, Any], start_response: StartResponse
) -> list[bytes]:
    try:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        document = page(json.loads(sent or b"{}"))
        status = HTTPStatus.OK
    except (ValueError, TypeError) as why:
        document, status = {"error": str(why)}, HTTPStatus.BAD_REQUEST
    body = json.dumps(document).encode()
    return _reply(start_response, f"{status.value} {status.phrase}", "application/json", body)


def _reply(start_response: StartResponse, status: str, kind: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
