"""A request to the AWS endpoint, as far as it can be known without answering it: service, action, values."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl

_LARGEST_FORM_BYTES = 1_000_000
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_READING = ("Describe", "Get", "List", "Head", "Search", "Lookup", "AssumeRole")

# Services that tell the action by method and path: (method, depth of the path or its end, query) -> action.
_S3_SUBRESOURCES = {"uploads": "CreateMultipartUpload", "delete": "DeleteObjects"}
_S3_ACTIONS = {
    ("GET", 0): "ListBuckets", ("GET", 1): "ListObjectsV2", ("GET", 2): "GetObject",
    ("HEAD", 1): "HeadBucket", ("HEAD", 2): "HeadObject",
    ("PUT", 1): "CreateBucket", ("PUT", 2): "PutObject",
    ("DELETE", 1): "DeleteBucket", ("DELETE", 2): "DeleteObject",
    ("POST", 2): "CompleteMultipartUpload",
}  # fmt: skip
_ROUTE53_ACTIONS = {
    ("POST", "rrset"): "ChangeResourceRecordSets", ("GET", "rrset"): "ListResourceRecordSets",
    ("POST", "hostedzone"): "CreateHostedZone", ("GET", "hostedzone"): "ListHostedZones",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """`service` as in a signature (`ec2`, `s3`, `ssm`); `action` as AWS documents it, empty when unknown."""

    service: str
    action: str
    values: frozenset[str] = frozenset()
    method: str = "POST"

    @property
    def changes(self) -> bool:
        """Whether answering it may change what the cloud keeps."""
        if self.action:
            return not self.action.startswith(_READING)
        return self.method not in ("GET", "HEAD", "OPTIONS")


def request_of(environ: dict[str, Any]) -> Request:
    """Read a WSGI request; its body can be read again afterwards."""
    method = str(environ["REQUEST_METHOD"])
    service = _service(environ)
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return Request(service, target.rpartition(".")[2], _json_values(environ), method)
    if str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(_body(environ).decode(errors="replace")))
        return Request(service, form.get("Action", ""), frozenset(form.values()), method)
    return Request(service, _rest_action(service, method, environ), frozenset(), method)


def _service(environ: dict[str, Any]) -> str:
    said = str(environ.get("HTTP_AUTHORIZATION", "")) or "Credential=" + "".join(
        parse_qs(str(environ.get("QUERY_STRING", ""))).get("X-Amz-Credential", [])
    )
    found = _SCOPE.search(said)
    return found[1] if found else ""


def _rest_action(service: str, method: str, environ: dict[str, Any]) -> str:
    segments = [segment for segment in str(environ.get("PATH_INFO", "")).split("/") if segment]
    query = parse_qs(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)
    if service == "s3":
        for name, action in _S3_SUBRESOURCES.items():
            if name in query and method == "POST":
                return action
        if method == "PUT" and "partNumber" in query:
            return "UploadPart"
        return _S3_ACTIONS.get((method, min(len(segments), 2)), "")
    if service == "route53" and segments:
        return _ROUTE53_ACTIONS.get((method, segments[-1]), "")
    return ""


def _json_values(environ: dict[str, Any]) -> frozenset[str]:
    try:
        found = json.loads(_body(environ) or b"{}")
    except ValueError:
        return frozenset()
    return (
        frozenset(value for value in found.values() if isinstance(value, str))
        if isinstance(found, dict)
        else frozenset()
    )


def _body(environ: dict[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if not 0 < length <= _LARGEST_FORM_BYTES:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body
