"""An S3 bucket as a store."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ReadTimeoutError,
)

from resizer import metrics
from resizer.errors import MissingError, StoreDeniedError, StoreError, StoreTimeoutError
from resizer.quickread import MODIFIED, SOURCE, blob_of
from resizer.store import admit, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from resizer.blob import Blob
    from resizer.config import Config
    from resizer.quickread import QuickReader

_ABSENT = frozenset({"NoSuchKey", "404", "KeyTooLongError"})
_LATE = frozenset({"RequestTimeout", "504"})
_DENIED = frozenset({"AccessDenied", "403"})
_MOST_DELETED = 1000  # S3's limit for one call


class S3Store:
    """A bucket. `connect` makes the client, one for all threads, and anew while credentials are missing."""

    def __init__(
        self,
        connect: Callable[[], Any],
        bucket: str,
        quicken: Callable[[Any], QuickReader | None] = lambda _: None,
    ) -> None:
        self._connect = connect
        self._quicken = quicken
        self._quick: QuickReader | None = None
        self._bucket = bucket
        self._guard = threading.Lock()
        self._client: Any = None
        self._in_vain: BotoCoreError | None = None

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the object; a result carries its original's time and etag in its metadata."""
        with self._call("get", key) as client:
            found = self._quick.read(key, max_bytes) if self._quick else None
            if found is not None:
                return found
            answer = client.get_object(Bucket=self._bucket, Key=key)
            with answer["Body"] as body:
                admit(key, answer["ContentLength"], max_bytes)
                data = body.read()
        stored = int(answer["LastModified"].timestamp())
        return blob_of(data, answer["ETag"], answer["Metadata"], stored)

    def etag(self, key: str) -> str:
        """Ask for the object's head."""
        with self._call("head", key) as client:
            return str(client.head_object(Bucket=self._bucket, Key=key)["ETag"]).strip('"')

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        """Put the object."""
        with self._call("put", key) as client:
            client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=blob.data,
                ContentType=media_type,
                Metadata={MODIFIED: str(blob.modified), **({SOURCE: blob.source} if blob.source else {})},
            )

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects, a thousand in a call."""
        doomed = list(keys)
        for begin in range(0, len(doomed), _MOST_DELETED):
            some = doomed[begin : begin + _MOST_DELETED]
            wanted = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            with self._call("delete", some[0]) as client:
                failed = client.delete_objects(Bucket=self._bucket, Delete=wanted).get("Errors", [])
            if failed:
                raise StoreError(
                    f"The object store kept {len(failed)} objects that were to be deleted.",
                    f"See to s3:DeleteObject; the first is {failed[0]['Key']!a}: {failed[0]['Code']}.",
                )

    def names(self, prefix: str, after: str = "") -> Iterator[str]:
        """List the keys, a thousand in a call."""
        for page in self._pages(prefix, StartAfter=after):
            yield from (each["Key"] for each in page.get("Contents", []))

    def folders(self, prefix: str) -> Iterator[str]:
        """List the common prefixes, a thousand in a call."""
        for page in self._pages(prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", []):
                yield each["Prefix"][len(prefix) : -1]

    def _pages(self, prefix: str, **how: str) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            with self._call("list", prefix) as client:
                page = client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **how, **token)
            yield page
            if not page["IsTruncated"]:
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    @contextlib.contextmanager
    def _call(self, operation: str, key: str) -> Iterator[Any]:
        begun, outcome = time.perf_counter(), "failed"
        try:
            yield self._connected()
            outcome = "done"
        except NoCredentialsError as error:
            # A client keeps what it found when it was made; a role may be given to the node later.
            self._client = None
            raise self._fault(error, key) from error
        except MissingError:
            outcome = "missing"
            raise
        except (ClientError, BotoCoreError) as error:
            fault = self._fault(error, key)
            outcome = "missing" if isinstance(fault, MissingError) else "failed"
            raise fault from error
        finally:
            metrics.STORE_CALLS.labels(operation, outcome).inc()
            metrics.STORE_SECONDS.labels(operation).observe(time.perf_counter() - begun)

    def _connected(self) -> Any:
        """Return the client.

        The metadata service may take seconds to say nothing. One thread asks it at a time, and those who
        waited share its failure: one after the other, the last of a crowd would hear of it after a minute.
        """
        before = self._in_vain
        with self._guard:
            if self._in_vain is not None and self._in_vain is not before:
                raise self._in_vain.with_traceback(None)
            try:
                if self._client is None:
                    client = self._connect()
                    self._client, self._quick = client, self._quicken(client)
            except BotoCoreError as error:
                self._in_vain = error
                raise
            return self._client

    def _fault(self, error: Exception, key: str) -> Exception:
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
        if code in _ABSENT:
            return missing(key)
        if code in _LATE or isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
            return StoreTimeoutError(
                "The object store did not answer in time.",
                f"See whether this node reaches the endpoint of bucket {self._bucket}: {error}",
            )
        if code in _DENIED:
            return StoreDeniedError(
                f"The object store failed ({code}).",
                "Grant the node s3:GetObject, s3:PutObject and s3:DeleteObject, and s3:ListBucket too:"
                f" without it S3 calls a missing object denied. {error}",
            )
        return StoreError(
            f"The object store failed ({code or type(error).__name__}).",
            f"See to the bucket and the node's credentials: {error}",
        )


def connector(config: Config) -> Callable[[], Any]:
    """Return what makes S3 clients that give up before the visitor does.

    Region, endpoint and credentials come from boto3's ordinary chain, looked up anew for each client.
    """

    def connect() -> Any:
        import boto3
        from botocore.config import Config as ClientConfig

        deadlines = ClientConfig(
            connect_timeout=config.store_connect_seconds,
            read_timeout=config.store_read_seconds,
            retries={"total_max_attempts": config.store_attempts, "mode": "standard"},
            max_pool_connections=64,
            # Checksums beyond those that S3 insists on cost more CPU than the rest of the call.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if os.environ.get("AWS_ENDPOINT_URL") else None,
        )
        session = boto3.Session()
        if session.get_credentials() is None:
            raise NoCredentialsError  # a client without them would look for them once more, and fail later
        return session.client("s3", config=deadlines)

    return connect
