"""Signing requests to S3 (AWS Signature Version 4), for those few that are sent without botocore. Pure.

What botocore does for any service by way of hooks and request objects takes longer than S3 takes to answer;
`tests/resizer/test_resizer_signing.py` holds the two together, signature by signature.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """What botocore calls frozen credentials."""

    access_key: str
    secret_key: str
    token: str | None


def signed(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    moment: float,
) -> dict[str, str]:
    """Return the headers with those that prove who asks; `moment` is in seconds since 1970.

    `path` is quoted as it will be sent. The names of `headers` are in lower case, `host` among them, their
    values without spaces at the ends or several in a row; all of them are signed.
    """
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    digest = hashlib.sha256(body).hexdigest()
    told = {**headers, "x-amz-date": now, "x-amz-content-sha256": digest}
    if credentials.token:
        told["x-amz-security-token"] = credentials.token
    names = sorted(told)
    listed = ";".join(names)
    canonical = "".join(f"{name}:{told[name]}\n" for name in names)
    request = f"{method}\n{path}\n\n{canonical}\n{listed}\n{digest}"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = f"{_ALGORITHM}\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    proof = hmac.digest(_key(credentials.secret_key, now[:8], region), text.encode(), "sha256").hex()
    told["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={proof}"
    )
    return told


@lru_cache(maxsize=4)
def _key(secret: str, day: str, region: str) -> bytes:
    """Return the key of a day, four digests deep."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
