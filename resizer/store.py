"""The object store: originals are read from it, results are kept in it. Two implementations, one contract."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from resizer import wholefile
from resizer.blob import Blob
from resizer.errors import MissingError, StoreError, StoreTimeoutError, TooManyBytesError

if TYPE_CHECKING:
    from pathlib import Path

_MODIFIED = "original-modified"
_ABSENT = frozenset({"NoSuchKey", "404", "KeyTooLongError"})
_LATE = frozenset({"RequestTimeout", "504"})


class Store(Protocol):
    """What the application asks of an object store. Implementations are safe to share between threads."""

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the object.

        Raises MissingError, TooManyBytesError (before reading them), StoreError or StoreTimeoutError.
        """

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        """Keep the object whole or not at all; `read` gives back its `modified` too.

        Raises StoreError or StoreTimeoutError.
        """


class S3Store:
    """A bucket. The client is passed in, made once per process: it is safe to share between threads."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the object; a result carries its original's time in its metadata."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with answer["Body"] as body:
                _admit(key, answer["ContentLength"], max_bytes)
                data = body.read()
        except (ClientError, BotoCoreError) as error:
            self._fail(error, key)
        noted = answer["Metadata"].get(_MODIFIED, "")
        modified = int(noted) if noted.isdecimal() else int(answer["LastModified"].timestamp())
        return Blob(data, modified)

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        """Put the object."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=blob.data,
                ContentType=media_type,
                Metadata={_MODIFIED: str(blob.modified)},
            )
        except (ClientError, BotoCoreError) as error:
            self._fail(error, key)

    def _fail(self, error: Exception, key: str) -> NoReturn:
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
        if code in _ABSENT:
            raise _missing(key) from error
        if code in _LATE or isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
            raise StoreTimeoutError(
                "The object store did not answer in time.",
                f"See whether this node reaches the endpoint of bucket {self._bucket}: {error}",
            ) from error
        raise StoreError(
            f"The object store failed ({code or type(error).__name__}).", _advice(code, error)
        ) from error


class FolderStore:
    """A folder of this machine, for development: keys are paths below it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the file's content and modification time."""
        try:
            with (self._root / key).open("rb") as file:
                state = os.fstat(file.fileno())
                _admit(key, state.st_size, max_bytes)
                return Blob(file.read(), int(state.st_mtime))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise _missing(key) from error
        except OSError as error:
            raise self._failed(error) from error

    def write(self, key: str, blob: Blob, media_type: str) -> None:  # noqa: ARG002 - a file keeps no media type
        """Write the file."""
        try:
            wholefile.write(self._root / key, blob)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(
            f"The object store failed ({type(error).__name__}).",
            f"See to the folder {self._root}: {error}",
        )


def _admit(key: str, size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise TooManyBytesError(
            f"The object {key!a} has {size_bytes} bytes; the limit is {max_bytes}.",
            "Upload a smaller original, or raise max_original_bytes if the node has the memory.",
        )


def _missing(key: str) -> MissingError:
    return MissingError(f"There is no object {key!a}.", "Check the key's spelling, or upload the original.")


def _advice(code: str, error: Exception) -> str:
    if code in {"AccessDenied", "403"}:
        return (
            "Grant the node s3:GetObject and s3:PutObject, and s3:ListBucket too:"
            f" without it S3 calls a missing object denied. {error}"
        )
    return f"See to the bucket and the node's credentials: {error}"
