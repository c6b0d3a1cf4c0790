"""The EBS direct APIs over HTTP, past moto: blocks go straight between socket and files."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from localcloud.catalog import Catalog
from localcloud.disks import BLOCK_BYTES
from localcloud.ebs_refusals import EbsRefused, invalid
from localcloud.ebs_snapshots import EbsSnapshots, Wanted
from localcloud.snapshots import SnapshotRecord

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/ebs/aws4_request")
_WEEK_SECONDS = 7 * 24 * 3600
_MOST_BLOCKS = 10000

Answer = tuple[HTTPStatus, dict[str, str], bytes]
Handler = Callable[["Request", "re.Match[str]"], Answer]


class Request:
    """One request: who serves it is told by the region in its signature."""

    def __init__(self, environ: Mapping[str, Any], region: str) -> None:
        self.region = region
        self.method = str(environ["REQUEST_METHOD"])
        self.path = str(environ.get("PATH_INFO", ""))
        self._environ = environ
        self._query = parse_qs(str(environ.get("QUERY_STRING", "")))

    def header(self, name: str) -> str:
        """One of EBS's headers, named without its `x-amz-`; empty when it is not there."""
        return str(self._environ.get("HTTP_X_AMZ_" + name.upper().replace("-", "_"), ""))

    def query(self, name: str) -> str:
        """A parameter of the query, empty when it is not there."""
        return self._query.get(name, [""])[0]

    def body(self, most: int) -> bytearray:
        """The body, read into one buffer; at most so many bytes of it."""
        size = min(int(self._environ.get("CONTENT_LENGTH") or 0), most)
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        while got < size and (count := self._environ["wsgi.input"].readinto(view[got:])):
            got += count
        view.release()
        del buffer[got:]
        return buffer


class Ebs:
    """The EBS direct APIs as a WSGI application."""

    def __init__(self, catalog: Catalog) -> None:
        self._snapshots = EbsSnapshots(catalog)
        self._routes: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
            ("POST", re.compile(r"/snapshots"), self._start),
            ("POST", re.compile(r"/snapshots/completion/([^/]+)"), self._complete),
            ("PUT", re.compile(r"/snapshots/([^/]+)/blocks/(-?\d+)"), self._put),
            ("GET", re.compile(r"/snapshots/([^/]+)/blocks/(-?\d+)"), self._get),
            ("GET", re.compile(r"/snapshots/([^/]+)/blocks"), self._list),
            ("GET", re.compile(r"/snapshots/([^/]+)/changedblocks"), self._list_changes),
        )

    @staticmethod
    def concerns(environ: Mapping[str, Any]) -> bool:
        """Whether a request was signed for EBS; S3 may well have a bucket with the name of EBS's paths."""
        return "/ebs/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, headers, body = self._answer(environ)
        except EbsRefused as why:
            said = {"Message": str(why), **({"Reason": why.reason} if why.reason else {})}
            status, headers, body = _json(said, why.status)
            headers["x-amzn-ErrorType"] = why.code
        headers["Content-Length"] = str(len(body))
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> Answer:
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        request = Request(environ, scope.group(1) if scope else "")
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return handler(request, match)
        raise EbsRefused(HTTPStatus.NOT_FOUND, "UnknownOperationException", f"EBS has no {request.path}")

    def _start(self, request: Request, _: re.Match[str]) -> Answer:
        try:
            asked = json.loads(bytes(request.body(1 << 20)) or b"{}")
            wanted = Wanted(
                size_gib=int(asked["VolumeSize"]),
                parent=asked.get("ParentSnapshotId") or "",
                description=asked.get("Description") or "",
                client_token=asked.get("ClientToken") or "",
                encrypted=bool(asked.get("Encrypted") or asked.get("KmsKeyArn")),
                tags={tag["Key"]: tag.get("Value", "") for tag in asked.get("Tags") or []},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as why:
            raise invalid("INVALID_PARAMETER_VALUE", f"The request cannot be read: {why!r}") from why
        return _json(_started(self._snapshots.start(request.region, wanted)), HTTPStatus.CREATED)

    def _put(self, request: Request, match: re.Match[str]) -> Answer:
        snapshot_id, index = match.group(1), int(match.group(2))
        block = request.body(2 * BLOCK_BYTES)
        if request.header("Data-Length") != str(BLOCK_BYTES):
            raise invalid("INVALID_BLOCK", f"DataLength must be {BLOCK_BYTES}")
        digest = _digest(request, "Checksum")
        if digest is None:
            raise invalid("INVALID_PARAMETER_VALUE", "A block needs its Checksum")
        self._snapshots.put(request.region, snapshot_id, index, block, digest)
        return HTTPStatus.CREATED, _checksum_headers(digest), b""

    def _complete(self, request: Request, match: re.Match[str]) -> Answer:
        count = _number(request.header("ChangedBlocksCount"), "ChangedBlocksCount")
        aggregate = _digest(request, "Checksum")
        if aggregate is not None and request.header("Checksum-Aggregation-Method") != "LINEAR":
            raise invalid("INVALID_PARAMETER_VALUE", "ChecksumAggregationMethod must be LINEAR")
        state = self._snapshots.complete(request.region, match.group(1), count, aggregate)
        return _json({"Status": state}, HTTPStatus.ACCEPTED)

    def _get(self, request: Request, match: re.Match[str]) -> Answer:
        block, digest = self._snapshots.get(
            request.region, match.group(1), int(match.group(2)), request.query("blockToken")
        )
        headers = {
            **_checksum_headers(digest),
            "x-amz-Data-Length": str(len(block)),
            "Content-Type": "application/octet-stream",
        }
        return HTTPStatus.OK, headers, block

    def _list(self, request: Request, match: re.Match[str]) -> Answer:
        record, found, following = self._snapshots.blocks(
            request.region, match.group(1), _first(request), _most(request)
        )
        listed = [{"BlockIndex": index, "BlockToken": token} for index, token in found]
        return _json({"Blocks": listed, **_frame(record, following)})

    def _list_changes(self, request: Request, match: re.Match[str]) -> Answer:
        second, first = match.group(1), request.query("firstSnapshotId")
        if not first:
            record, found, following = self._snapshots.blocks(
                request.region, second, _first(request), _most(request)
            )
            changed = [(index, "", token) for index, token in found]
        else:
            record, changed, following = self._snapshots.changes(
                request.region, first, second, _first(request), _most(request)
            )
        listed = [
            {
                "BlockIndex": index,
                **({"FirstBlockToken": before} if before else {}),
                **({"SecondBlockToken": after} if after else {}),
            }
            for index, before, after in changed
        ]
        return _json({"ChangedBlocks": listed, **_frame(record, following)})


def _started(record: SnapshotRecord) -> dict[str, Any]:
    return {
        "SnapshotId": record.id,
        "OwnerId": record.owner,
        "Status": record.state,
        "StartTime": datetime.fromisoformat(record.started).timestamp(),
        "VolumeSize": record.size_gib,
        "BlockSize": BLOCK_BYTES,
        "Description": record.description,
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        **({"ParentSnapshotId": record.parent} if record.parent else {}),
    }


def _frame(record: SnapshotRecord, following: int | None) -> dict[str, Any]:
    """What every listing says beside its blocks."""
    return {
        "VolumeSize": record.size_gib,
        "BlockSize": BLOCK_BYTES,
        "ExpiryTime": time.time() + _WEEK_SECONDS,
        **({} if following is None else {"NextToken": _page_token(following)}),
    }


def _page_token(following: int) -> str:
    return base64.b64encode(f"from {following}".encode()).decode()


def _first(request: Request) -> int:
    """The index at which a page begins; a page's token counts more than StartingBlockIndex."""
    token = request.query("pageToken")
    if not token:
        return _number(request.query("startingBlockIndex") or "0", "StartingBlockIndex")
    try:
        word, _, index = base64.b64decode(token, validate=True).decode().partition(" ")
    except (binascii.Error, UnicodeDecodeError) as why:
        raise invalid("INVALID_PAGE_TOKEN", "The page token is not valid") from why
    if word != "from" or not index.isdigit():
        raise invalid("INVALID_PAGE_TOKEN", "The page token is not valid")
    return int(index)


def _most(request: Request) -> int:
    most = _number(request.query("maxResults") or str(_MOST_BLOCKS), "MaxResults")
    if not 100 <= most <= _MOST_BLOCKS:
        raise invalid("INVALID_PARAMETER_VALUE", f"MaxResults must be from 100 to {_MOST_BLOCKS}")
    return most


def _number(said: str, name: str) -> int:
    if not said.isdigit():
        raise invalid("INVALID_PARAMETER_VALUE", f"{name} must be a whole number, not {said!r}")
    return int(said)


def _digest(request: Request, name: str) -> bytes | None:
    said = request.header(name)
    if not said:
        return None
    if request.header("Checksum-Algorithm") != "SHA256":
        raise invalid("INVALID_PARAMETER_VALUE", "ChecksumAlgorithm must be SHA256")
    try:
        return base64.b64decode(said, validate=True)
    except binascii.Error as why:
        raise invalid("INVALID_PARAMETER_VALUE", f"{name} is not in Base64") from why


def _checksum_headers(digest: bytes) -> dict[str, str]:
    return {"x-amz-Checksum": base64.b64encode(digest).decode(), "x-amz-Checksum-Algorithm": "SHA256"}


def _json(said: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(said).encode()
