"""The object store: one contract, kept by a bucket and by a folder; and each one's own failures."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config as ClientConfig
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from resizer.blob import Blob
from resizer.errors import MissingError, StoreError, StoreTimeoutError, TooManyBytesError
from resizer.store import FolderStore, S3Store, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1 << 20
LONG_AGO = 1_500_000_000


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", "us-east-1", config=ClientConfig(retries={"total_max_attempts": 1}))
        client.create_bucket(Bucket="photos")
        yield client


@pytest.fixture(params=["bucket", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return (
        S3Store(request.getfixturevalue("client"), "photos")
        if request.param == "bucket"
        else FolderStore(tmp_path)
    )


def test_what_was_written_is_read_back_with_its_time(store: Store) -> None:
    blob = Blob(b"\x00bytes\xff" * 1000, LONG_AGO)
    store.write("resized/w300/ä b/c+d%.jpg", blob, "image/jpeg")
    assert store.read("resized/w300/ä b/c+d%.jpg", LIMIT) == blob


def test_a_second_write_replaces_the_first(store: Store) -> None:
    store.write("a", Blob(b"first and longer", LONG_AGO), "image/png")
    store.write("a", Blob(b"second", LONG_AGO + 1), "image/png")
    assert store.read("a", LIMIT) == Blob(b"second", LONG_AGO + 1)


def test_nothing_is_something(store: Store) -> None:
    store.write("empty", Blob(b"", LONG_AGO), "image/png")
    assert store.read("empty", LIMIT).data == b""


@pytest.mark.parametrize("key", ["absent", "a/b", "a/b/c/d", "there/more"])
def test_a_key_that_is_not_there_is_missing(store: Store, key: str) -> None:
    store.write("there", Blob(b"x", LONG_AGO), "image/png")
    store.write("a/b/c", Blob(b"x", LONG_AGO), "image/png")
    with pytest.raises(MissingError, match=key) as caught:
        store.read(key, LIMIT)
    assert caught.value.hint


def test_an_object_above_the_limit_is_refused_and_one_at_the_limit_is_not(store: Store) -> None:
    store.write("a", Blob(b"12345", LONG_AGO), "image/png")
    assert store.read("a", 5).data == b"12345"
    with pytest.raises(TooManyBytesError, match="5 bytes; the limit is 4"):
        store.read("a", 4)


def test_an_original_has_the_time_of_its_upload(client: Any) -> None:
    before = int(datetime.now(UTC).timestamp())
    client.put_object(Bucket="photos", Key="a.jpg", Body=b"x")
    assert before <= S3Store(client, "photos").read("a.jpg", LIMIT).modified <= before + 60


def test_a_result_in_a_bucket_carries_its_media_type(client: Any) -> None:
    S3Store(client, "photos").write("a", Blob(b"x", LONG_AGO), "image/webp")
    assert client.head_object(Bucket="photos", Key="a")["ContentType"] == "image/webp"


def test_a_bucket_that_is_not_there_is_a_failure_and_no_missing_object(client: Any) -> None:
    store = S3Store(client, "elsewhere")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.read("a", LIMIT)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NoSuchKey", 404, MissingError),
        ("KeyTooLongError", 400, MissingError),
        ("AccessDenied", 403, StoreError),
        ("InternalError", 500, StoreError),
        ("SlowDown", 503, StoreError),
        ("InvalidObjectState", 403, StoreError),
        ("RequestTimeout", 400, StoreTimeoutError),
    ],
)
def test_each_answer_of_s3_has_its_error(client: Any, code: str, status: int, error: type[Exception]) -> None:
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(error) as caught:
            S3Store(client, "photos").read("a", LIMIT)
    assert type(caught.value) is error


def test_a_denial_is_explained(client: Any) -> None:
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(StoreError) as caught:
            S3Store(client, "photos").read("a", LIMIT)
    assert "s3:ListBucket" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ConnectTimeoutError(endpoint_url="http://s3"), StoreTimeoutError),
        (ReadTimeoutError(endpoint_url="http://s3"), StoreTimeoutError),
        (EndpointConnectionError(endpoint_url="http://s3"), StoreError),
    ],
)
def test_each_fault_of_the_network_has_its_error(
    client: Any, fault: Exception, error: type[Exception]
) -> None:
    def cut(**_: Any) -> None:
        raise fault

    client.meta.events.register_first("before-send.s3", cut)
    store = S3Store(client, "photos")
    with pytest.raises(error):
        store.read("a", LIMIT)
    with pytest.raises(error):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file, no directory")
    with pytest.raises(StoreError, match="The object store failed") as caught:
        FolderStore(tmp_path).write("a/b", Blob(b"x", LONG_AGO), "image/png")
    assert str(tmp_path) in caught.value.hint


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match="PermissionError"):
        FolderStore(tmp_path).read("a", LIMIT)


def test_files_in_a_folder_have_the_blob_s_time(tmp_path: Path) -> None:
    FolderStore(tmp_path).write("a", Blob(b"x", LONG_AGO), "image/png")
    assert os.stat(tmp_path / "a").st_mtime == LONG_AGO  # noqa: PTH116 - as Apache sees it
