"""Signing a request to AWS, version 4. Pure.

botocore does the same, after a fifth of a second of importing; a boot that changes nothing has half of one.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """Keys of AWS; `expires` is a Unix time, None for those that last."""

    access_key: str
    secret_key: str
    token: str = ""
    expires: float | None = None


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


def signed(request: Request, credentials: Credentials, service: str, region: str, now: datetime) -> Request:
    """Return the request with its signature in the headers; its path must be quoted already."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    headers = {
        **request.headers,
        "Host": urlsplit(request.url).netloc,
        "X-Amz-Date": stamp,
        **({"X-Amz-Security-Token": credentials.token} if credentials.token else {}),
        **({"X-Amz-Content-SHA256": _digest(request.body)} if service == "s3" else {}),
    }
    canonical, names = _canonical(request, headers)
    text = "\n".join((_ALGORITHM, stamp, scope, _digest(canonical.encode())))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"
    )
    return Request(request.method, request.url, headers, request.body)


def _canonical(request: Request, headers: Mapping[str, str]) -> tuple[str, str]:
    parts = urlsplit(request.url)
    query = sorted((quote(name, "~"), quote(value, "~")) for name, value in parse_qsl(parts.query, True))  # noqa: FBT003
    held = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in held)
    text = "\n".join(
        (
            request.method,
            parts.path or "/",
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{value}" for name, value in held),
            "",
            names,
            _digest(request.body),
        )
    )
    return text, names


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
