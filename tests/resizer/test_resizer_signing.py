"""Signatures: ours are botocore's, whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from resizer.signing import signed

if TYPE_CHECKING:
    from collections.abc import Mapping

MOMENT = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
LASTING = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
PASSING = ReadOnlyCredentials("ASIAEXAMPLE", "another/secret", "a//token+of=a/role==")


def theirs(
    method: str, path: str, headers: Mapping[str, str], body: bytes, who: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: MOMENT.replace(tzinfo=None))
    request = AWSRequest(method, f"http://{headers['host']}{path}", dict(headers), body)
    request.context["payload_signing_enabled"] = True
    auth.S3SigV4Auth(who, "s3", "eu-central-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("who", [LASTING, PASSING])
@pytest.mark.parametrize("key", ["a.jpg", "with space/ä+b=c&d~e%.jpg", "resized/w300,q80/./x"])
@pytest.mark.parametrize("host", ["photos.s3.eu-central-1.amazonaws.com", "127.0.0.1:8333"])
@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("GET", {}, b""),
        (
            "PUT",
            {"content-type": "image/webp", "content-length": "9", "x-amz-meta-original-etag": "0f-2"},
            b"\x00pixels\xff!",
        ),
    ],
)
def test_a_signature_is_that_of_botocore(
    who: Any, key: str, host: str, method: str, headers: Any, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = "/" + quote(key, safe="/-_.~"), {"host": host, **headers}
    ours = signed(method, path, told, body, who, "eu-central-1", MOMENT.timestamp())
    expected = theirs(method, path, told, body, who, monkeypatch)
    assert ours["authorization"] == expected["authorization"]
    assert {name: expected[name] for name in ours} == ours


def test_another_day_has_another_key() -> None:
    days = [MOMENT.timestamp(), MOMENT.timestamp() + 86_400]
    proofs = {signed("GET", "/a", {"host": "h"}, b"", LASTING, "r", day)["authorization"] for day in days}
    assert len(proofs) == 2
