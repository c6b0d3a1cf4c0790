"""The object store: one contract, kept by a bucket and by a folder; and each one's own failures."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config as ClientConfig
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoRegionError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from resizer.blob import Blob
from resizer.bucket import S3Store, connector
from resizer.config import Config
from resizer.errors import MissingError, StoreDeniedError, StoreError, StoreTimeoutError, TooManyBytesError
from resizer.folder import FolderStore
from resizer.shortcut import shortcut
from resizer.store import Store
from resizer.wire import Answer, CutError

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


@pytest.fixture(params=["bucket", "quick bucket", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path)
    client = request.getfixturevalue("client")
    return quick(client) if "quick" in request.param else S3Store(lambda: client, "photos")


def quick(client: Any) -> S3Store:
    config = Config(bucket="photos")
    return S3Store(lambda: client, "photos", lambda made: shortcut(made, "photos", config, MotoWire(made)))


class MotoWire:
    """Takes what would go over the network to moto, by the hook that moto has in botocore."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def exchange(self, request: bytes, admit: Any) -> Answer:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        asked = AWSRequest(method, f"https://{headers['host']}{path}", headers, body)
        emit = self._client.meta.events.emit_until_response
        _, answer = emit("before-send.s3.Shortcut", request=asked.prepare())
        if answer is None:
            raise CutError("nobody answers")
        told = {name.lower(): value for name, value in answer.headers.items()}
        told.setdefault("content-length", str(len(answer.content)))
        admit(Answer(answer.status_code, told))
        return Answer(answer.status_code, told, answer.content)


def test_what_was_written_is_read_back_with_its_time(store: Store) -> None:
    blob = Blob(b"\x00bytes\xff" * 1000, LONG_AGO, source="etag of the original")
    store.write("resized/w300/ä b/c+d%.jpg", blob, "image/jpeg")
    found = store.read("resized/w300/ä b/c+d%.jpg", LIMIT)
    assert (found.data, found.modified, found.source) == (blob.data, LONG_AGO, "etag of the original")
    assert abs(found.stored - time.time()) < 60


def test_a_second_write_replaces_the_first(store: Store) -> None:
    store.write("a", Blob(b"first and longer", LONG_AGO), "image/png")
    store.write("a", Blob(b"second", LONG_AGO + 1), "image/png")
    found = store.read("a", LIMIT)
    assert (found.data, found.modified) == (b"second", LONG_AGO + 1)


def test_an_etag_changes_with_the_bytes_and_needs_no_reading(store: Store) -> None:
    store.write("a", Blob(b"first", LONG_AGO), "image/png")
    first = store.etag("a")
    assert first == store.read("a", LIMIT).etag
    store.write("a", Blob(b"second", LONG_AGO + 1), "image/png")
    assert store.etag("a") not in {first, ""}


def test_what_was_deleted_is_missing_and_what_never_was_is_no_fault(store: Store) -> None:
    for key in ("a/b", "a/c"):
        store.write(key, Blob(b"x", LONG_AGO, source="s"), "image/png")
    store.delete(["a/b", "never", "a/b/c"])
    store.delete([])
    assert list(store.names("a/")) == ["a/c"]
    with pytest.raises(MissingError):
        store.read("a/b", LIMIT)


def test_names_are_in_order_and_begin_behind_a_name(store: Store) -> None:
    for number in (3, 1, 2):
        store.write(f"p/.purges/{number}", Blob(b"x", LONG_AGO, source="s"), "application/json")
    store.write("p/other", Blob(b"x", LONG_AGO), "image/png")
    assert list(store.names("p/.purges/")) == ["p/.purges/1", "p/.purges/2", "p/.purges/3"]
    assert list(store.names("p/.purges/", "p/.purges/1")) == ["p/.purges/2", "p/.purges/3"]
    assert list(store.names("q/")) == []


def test_folders_are_what_stands_before_the_next_slash(store: Store) -> None:
    for key in ("r/w1/a", "r/w1/b/c", "r/w2/a", "r/file", "other/w3/a"):
        store.write(key, Blob(b"x", LONG_AGO, source="s"), "image/png")
    assert list(store.folders("r/")) == ["w1", "w2"]
    assert list(store.folders("nowhere/")) == []


def test_nothing_is_something(store: Store) -> None:
    store.write("empty", Blob(b"", LONG_AGO), "image/png")
    assert store.read("empty", LIMIT).data == b""


def test_more_than_one_page_is_listed_and_deleted(client: Any) -> None:
    store = S3Store(lambda: client, "photos")
    keys = [f"k/{number:04}" for number in range(1003)]
    for key in keys:
        client.put_object(Bucket="photos", Key=key, Body=b"")
    assert list(store.names("k/")) == keys
    store.delete(keys)
    assert list(store.names("k/")) == []


def test_credentials_that_come_late_are_found_without_a_restart(client: Any) -> None:
    clients = [boto3.Session(region_name="us-east-1").client("s3"), client]
    clients[0]._request_signer._credentials = None
    store = S3Store(lambda: clients.pop(0), "photos")
    with pytest.raises(StoreError, match="NoCredentialsError"):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")
    store.write("a", Blob(b"x", LONG_AGO), "image/png")
    assert store.read("a", LIMIT).data == b"x"


def test_the_quick_way_is_taken_for_the_ordinary_and_the_full_client_asked_for_the_rest(client: Any) -> None:
    operations: list[str] = []
    client.meta.events.register("before-parameter-build.s3", lambda model, **_: operations.append(model.name))
    store = quick(client)
    store.write("a b/ä?#%.jpg", Blob(b"x" * 9, LONG_AGO, source="s"), "image/png")
    assert client.head_object(Bucket="photos", Key="a b/ä?#%.jpg")["ContentType"] == "image/png"
    operations.clear()
    found = store.read("a b/ä?#%.jpg", LIMIT)
    assert (found.data, found.modified, found.source) == (b"x" * 9, LONG_AGO, "s")
    with pytest.raises(MissingError):
        store.read("absent", LIMIT)
    with pytest.raises(TooManyBytesError):
        store.read("a b/ä?#%.jpg", 8)
    assert operations == []
    client.delete_object(Bucket="photos", Key="a b/ä?#%.jpg")
    client.delete_bucket(Bucket="photos")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.read("a", LIMIT)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")
    assert {"GetObject", "PutObject"} <= set(operations)


def test_what_no_header_can_say_goes_the_full_way(client: Any) -> None:
    operations: list[str] = []
    client.meta.events.register("before-parameter-build.s3", lambda model, **_: operations.append(model.name))
    store = quick(client)
    store.begin()
    operations.clear()
    store.write("a", Blob(b"x", LONG_AGO, source="two  spaces"), "image/png")
    assert operations == ["PutObject"]


class BrokenWire:
    """Never answers, in one way or another."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def exchange(self, _request: bytes, _admit: Any) -> Answer:
        raise self._fault


def over(client: Any, fault: Exception) -> S3Store:
    config = Config(bucket="photos")
    return S3Store(lambda: client, "photos", lambda made: shortcut(made, "photos", config, BrokenWire(fault)))


@pytest.mark.parametrize("fault", [CutError("cut"), ConnectionRefusedError(), KeyError("content-length")])
def test_where_the_short_way_is_cut_the_full_one_is_taken(client: Any, fault: Exception) -> None:
    store = over(client, fault)
    store.write("a", Blob(b"x", LONG_AGO), "image/png")
    assert store.read("a", LIMIT).data == b"x"


@pytest.mark.parametrize("fault", [TimeoutError(), ConnectTimeoutError(endpoint_url="http://s3")])
def test_a_store_that_is_late_is_not_asked_a_second_time(client: Any, fault: Exception) -> None:
    client.put_object(Bucket="photos", Key="a", Body=b"x")
    store = over(client, fault)
    with pytest.raises(StoreTimeoutError):
        store.read("a", LIMIT)
    with pytest.raises(StoreTimeoutError):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")


def test_a_client_may_be_made_before_it_is_needed_and_fail_later(client: Any) -> None:
    made: list[Any] = []
    S3Store(lambda: made.append(client) or client, "photos").begin()
    assert made == [client]

    def nowhere() -> Any:
        raise NoRegionError

    store = S3Store(nowhere, "photos")
    store.begin()
    with pytest.raises(StoreError, match="NoRegionError"):
        store.read("a", LIMIT)


def test_a_client_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    made = connector(Config(bucket="photos"))()
    assert made.meta.endpoint_url == "http://127.0.0.1:9"
    assert (made.meta.config.connect_timeout, made.meta.config.read_timeout) == (1, 5)
    assert made.meta.config.retries["total_max_attempts"] == 2


@pytest.mark.parametrize("key", ["absent", "a/b", "a/b/c/d", "there/more"])
def test_a_key_that_is_not_there_is_missing(store: Store, key: str) -> None:
    store.write("there", Blob(b"x", LONG_AGO), "image/png")
    store.write("a/b/c", Blob(b"x", LONG_AGO), "image/png")
    for ask in (lambda: store.read(key, LIMIT), lambda: store.etag(key)):
        with pytest.raises(MissingError, match=key) as caught:
            ask()
        assert caught.value.hint


def test_an_object_above_the_limit_is_refused_and_one_at_the_limit_is_not(store: Store) -> None:
    store.write("a", Blob(b"12345", LONG_AGO), "image/png")
    assert store.read("a", 5).data == b"12345"
    with pytest.raises(TooManyBytesError, match="5 bytes; the limit is 4"):
        store.read("a", 4)


def test_an_original_has_the_time_of_its_upload(client: Any) -> None:
    before = int(datetime.now(UTC).timestamp())
    client.put_object(Bucket="photos", Key="a.jpg", Body=b"x")
    assert before <= S3Store(lambda: client, "photos").read("a.jpg", LIMIT).modified <= before + 60


def test_a_result_in_a_bucket_carries_its_media_type(client: Any) -> None:
    S3Store(lambda: client, "photos").write("a", Blob(b"x", LONG_AGO), "image/webp")
    assert client.head_object(Bucket="photos", Key="a")["ContentType"] == "image/webp"


def test_a_bucket_that_is_not_there_is_a_failure_and_no_missing_object(client: Any) -> None:
    store = S3Store(lambda: client, "elsewhere")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.read("a", LIMIT)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.write("a", Blob(b"x", LONG_AGO), "image/png")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NoSuchKey", 404, MissingError),
        ("KeyTooLongError", 400, MissingError),
        ("AccessDenied", 403, StoreDeniedError),
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
            S3Store(lambda: client, "photos").read("a", LIMIT)
    assert type(caught.value) is error


def test_a_denial_is_explained(client: Any) -> None:
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(StoreError) as caught:
            S3Store(lambda: client, "photos").read("a", LIMIT)
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
    store = S3Store(lambda: client, "photos")
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
