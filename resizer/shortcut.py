"""The short way to S3, at a fraction of the full client's CPU: signed, sent and read by our own few lines.

Only the ordinary answers are dealt with: an object, its absence, and that it was kept. For all else (a
redirect, a denial, a cut connection, a slow-down, a proxy) the caller asks again by the full client, which
knows retries and errors.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from resizer.blob import Blob
from resizer.keys import Keys
from resizer.signing import Credentials, signed
from resizer.store import admit, missing
from resizer.wire import Answer, CutError, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

    from resizer.config import Config

SOURCE = "original-etag"
MODIFIED = "original-modified"
_METADATA = "x-amz-meta-"
_BELIEVED_SECONDS = 1.0  # far less than credentials are renewed ahead of their end


class Transport(Protocol):
    """Sends a request and brings its answer: a Wire."""

    def exchange(self, request: bytes, admit: Callable[[Answer], None]) -> Answer:
        """See Wire."""


@dataclass(frozen=True)
class Shortcut:
    """Reads and writes objects of one bucket; `path` is what their keys are appended to."""

    wire: Transport
    credentials: Callable[[], Credentials]
    region: str
    host: str
    path: str

    def read(self, key: str, max_bytes: int) -> Blob | None:
        """Return the object, or None if the full client has to be asked.

        Raises MissingError, TooManyBytesError, and botocore's ReadTimeoutError and ConnectTimeoutError.
        """

        def judge(head: Answer) -> None:
            if head.status == 200:
                admit(key, int(head.headers["content-length"]), max_bytes)

        answer = self._answer("GET", key, {}, b"", judge)
        if answer is not None and answer.status == 404 and b"<Code>NoSuchKey</Code>" in answer.body:
            raise missing(key)
        with contextlib.suppress(KeyError, ValueError):
            return _blob(answer) if answer is not None and answer.status == 200 else None
        return None

    def write(self, key: str, blob: Blob, media_type: str) -> bool:
        """Keep the object; False if the full client has to be asked. Raises botocore's timeouts."""
        headers = {"content-type": media_type, "content-length": str(len(blob.data))}
        headers |= {_METADATA + name: value for name, value in metadata_of(blob).items()}
        if any(not value.isascii() or not value.isprintable() or "  " in value for value in headers.values()):
            return False
        answer = self._answer("PUT", key, headers, blob.data, lambda _: None)
        return answer is not None and answer.status == 200

    def _answer(
        self, method: str, key: str, headers: Mapping[str, str], body: bytes, judge: Callable[[Answer], None]
    ) -> Answer | None:
        path = self.path + quote(key, safe="/-_.~")
        who = self.credentials()
        told = signed(method, path, {"host": self.host, **headers}, body, who, self.region, time.time())
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        request = f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body
        try:
            return self.wire.exchange(request, judge)
        except ConnectTimeoutError:
            raise  # although it is an OSError
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self.host, error=error) from error
        except (CutError, OSError, KeyError, ValueError):
            return None


def _blob(answer: Answer) -> Blob:
    told = answer.headers
    metadata = {
        name.removeprefix(_METADATA): value for name, value in told.items() if name.startswith(_METADATA)
    }
    stored = int(parsedate_to_datetime(told["last-modified"]).timestamp())
    return blob_of(answer.body, told["etag"], metadata, stored)


def metadata_of(blob: Blob) -> dict[str, str]:
    """Return what is to be known of a result's original."""
    return {MODIFIED: str(blob.modified), **({SOURCE: blob.source} if blob.source else {})}


def blob_of(data: bytes, etag: str, metadata: Mapping[str, str], stored: int) -> Blob:
    """Return an object with what its metadata say of the original."""
    modified = metadata.get(MODIFIED, "")
    return Blob(
        data,
        int(modified) if modified.isdecimal() else stored,
        etag.strip('"'),
        metadata.get(SOURCE, ""),
        stored,
    )


def shortcut(client: Any, bucket: str, config: Config, wire: Transport | None = None) -> Shortcut | None:
    """Return the short way to the bucket as the client would address it; None where there is none.

    There is none without credentials, and none through a proxy.
    """
    import boto3

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        return None
    presigned = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}))
    if get_environ_proxies(presigned.geturl()):
        return None
    path = presigned.path.removesuffix("k")
    wire = wire or Wire(_dialler(presigned, config))
    return Shortcut(wire, _frozen(Keys(credentials)), client.meta.region_name, presigned.netloc, path)


def _frozen(credentials: Any) -> Callable[[], Credentials]:
    """Return what gives the credentials; to see whether to renew them costs botocore as much as signing."""
    known: list[tuple[float, Credentials]] = [(0.0, credentials)]

    def current() -> Credentials:
        until, frozen = known[0]
        if time.monotonic() >= until:
            frozen = credentials.get_frozen_credentials()
            known[0] = (time.monotonic() + _BELIEVED_SECONDS, frozen)
        return frozen

    return current


def _dialler(url: SplitResult, config: Config) -> Callable[[], socket.socket]:
    secure = url.scheme == "https"
    where = str(url.hostname), url.port or (443 if secure else 80)
    bundle = os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True)
    context = ssl.create_default_context(cafile=bundle) if secure else None

    def dial() -> socket.socket:
        try:
            line = socket.create_connection(where, timeout=config.store_connect_seconds)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url.netloc, error=error) from error
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(line.close)
            line.settimeout(config.store_read_seconds)
            if context:
                line = context.wrap_socket(line, server_hostname=where[0])
            unfinished.pop_all()
        return line

    return dial
