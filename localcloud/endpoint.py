"""The AWS API as a WSGI application: faults before moto, what must follow a change after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from localcloud.request import Request, request_of

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Endpoint:
    """Answers AWS requests, and beside them the daemon's own pages below `/local-cloud/`."""

    def __init__(
        self,
        aws: App,
        passing: Callable[[], AbstractContextManager[None]],
        changed: Callable[[Request], None],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._aws = aws
        self._passing = passing
        self._changed = changed
        self._status = status

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO") == "/local-cloud/status":
            return _page(start_response, HTTPStatus.OK, self._status())
        request = request_of(environ)
        if not request.changes:
            return self._aws(environ, start_response)
        with self._passing():
            answer = self._aws(environ, start_response)
        self._changed(request)
        return answer


def _page(start_response: StartResponse, status: HTTPStatus, document: dict[str, Any]) -> list[bytes]:
    body = json.dumps(document).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
