"""Reading from S3 at half the CPU: signed and sent by botocore's own parts, without what it does around them.

Only the two ordinary answers are dealt with, the object and its absence. For all else (a redirect, a denial,
a cut connection, a slow-down) the caller asks again by the full client, which knows retries and errors.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from resizer.blob import Blob
from resizer.keys import Keys
from resizer.store import admit, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resizer.config import Config

SOURCE = "original-etag"
MODIFIED = "original-modified"
_METADATA = "x-amz-meta-"
_SIGNED_BODY = {"payload_signing_enabled": False}


@dataclass(frozen=True)
class QuickReader:
    """Reads objects of one bucket; `base` is the URL that their keys are appended to."""

    client: Any
    credentials: Any
    base: str
    session: URLLib3Session

    def read(self, key: str, max_bytes: int) -> Blob | None:
        """Return the object, or None if the full client has to be asked.

        Raises MissingError, TooManyBytesError, and botocore's errors where the store does not answer in time.
        """
        request = AWSRequest("GET", self.base + quote(key, safe="/-_.~"), stream_output=True)
        request.context.update(_SIGNED_BODY)
        frozen = self.credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", self.client.meta.region_name).add_auth(request)
        with contextlib.suppress(ConnectionClosedError, HTTPError):
            return self._answered(key, self._sent(request.prepare()), max_bytes)
        return None

    def _sent(self, prepared: Any) -> Any:
        # Whoever listens on the client, as tests do, listens here too.
        handled = self.client.meta.events.emit_until_response("before-send.s3.GetObject", request=prepared)[1]
        return self.session.send(prepared) if handled is None else handled

    @staticmethod
    def _answered(key: str, answer: Any, max_bytes: int) -> Blob | None:
        if answer.status_code == 404 and b"<Code>NoSuchKey</Code>" in answer.content:
            raise missing(key)
        if answer.status_code != 200:
            _ = answer.content  # read to the end, so that the connection can be used again
            return None
        try:
            admit(key, int(answer.headers["Content-Length"]), max_bytes)
        except Exception:
            answer.raw.close()
            raise
        metadata = {
            name.lower().removeprefix(_METADATA): value
            for name, value in answer.headers.items()
            if name.lower().startswith(_METADATA)
        }
        stored = int(parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp())
        return blob_of(answer.content, answer.headers["ETag"], metadata, stored)


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


def quick_reader(client: Any, bucket: str, config: Config) -> QuickReader | None:
    """Return a reader for the bucket as the client would address it; None without credentials."""
    import boto3

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        return None
    presigned = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}))
    base = f"{presigned.scheme}://{presigned.netloc}{presigned.path.removesuffix('k')}"
    how: dict[str, Any] = {
        "verify": os.environ.get("AWS_CA_BUNDLE") or True,
        "proxies": get_environ_proxies(base),
        "timeout": (config.store_connect_seconds, config.store_read_seconds),
        "max_pool_connections": 64,
    }
    return QuickReader(client, Keys(credentials), base, URLLib3Session(**how))
