from __future__ import annotations

import io
import json
import re
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from PIL import Image

from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = Path(__file__).parents[2] / "bake" / "locks" / "resizer.txt"
# Python says in X-Resizer where it found what it answers; what Apache takes from disk says none of these.
BY_PYTHON = {"disk", "store", "rendered"}
# A result may be stored after it was sent.
LONGEST_STORING_SECONDS = 10
VERSIONS = """
import importlib.metadata, json
print(json.dumps({each.name: each.version for each in importlib.metadata.distributions()}))
"""


@dataclass(frozen=True)
class Shelf:
    """The bucket as the nodes see it: where originals go and results are found, under keys of our own."""

    s3: Any
    bucket: str
    prefix: str
    results_prefix: str
    folder: str

    def put(self, name: str, body: bytes) -> str:
        """Store an original; return its key in URLs."""
        key = f"{self.folder}/{name}"
        self.s3.put_object(Bucket=self.bucket, Key="/".join(filter(None, [self.prefix, key])), Body=body)
        return key

    def result(self, name: str) -> bytes:
        """Return a stored result by its name, `{options}/{key}`, waiting a little for it."""
        end = time.monotonic() + LONGEST_STORING_SECONDS
        wanted = {"Bucket": self.bucket, "Key": f"{self.results_prefix}/{name}"}
        while "Contents" not in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=wanted["Key"]):
            assert time.monotonic() < end, f"{wanted['Key']} was not stored"
            time.sleep(0.2)
        return bytes(self.s3.get_object(**wanted)["Body"].read())

    def clear(self) -> None:
        """Remove all that these tests have stored, and what was made of it."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for each in page.get("Contents", []):
                if f"{self.folder}/" in each["Key"]:
                    self.s3.delete_object(Bucket=self.bucket, Key=each["Key"])


def shelf_of(node: Any, bucket: str, aws: Any) -> Shelf:
    config = tomllib.loads(node.file("/etc/resizer.toml").content_string)
    return Shelf(
        aws.client("s3"),
        bucket,
        config.get("prefix", ""),
        config.get("results_prefix", "resized"),
        f"verify-{uuid4().hex}",
    )


@pytest.fixture(scope="module")
def shelf(host: Any, bucket: str, aws: Any) -> Iterator[Shelf]:
    ours = shelf_of(host, bucket, aws)
    yield ours
    ours.clear()


@pytest.fixture(scope="module")
def key(shelf: Shelf) -> str:
    return shelf.put("mountains.jpg", photograph(1200, 800))


def locked() -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", LOCK.read_text(), re.MULTILINE))


def test_the_application_has_the_locked_packages(host: Any) -> None:
    found = host.check_output("grep -RhoE 'python-home=[^ ]+' /etc/apache2/sites-enabled/").split("=")[1]
    installed = json.loads(host.check_output("%s/bin/python -c %s", found.split()[0], VERSIONS))
    names = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in installed.items()}
    assert {name: names.get(name) for name in locked()} == locked()
    assert "pillow" in locked()


def test_health_answers_200(get: Any) -> None:
    assert get("/health").status == 200


def test_the_node_reads_the_bucket_it_was_given(host: Any, bucket: str) -> None:
    assert tomllib.loads(host.file("/etc/resizer.toml").content_string)["bucket"] == bucket


def test_a_photograph_of_medium_size_is_300_wide_and_in_proportion(get: Any, key: str) -> None:
    answer = get(f"/medium/{key}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    picture = Image.open(io.BytesIO(answer.body))
    assert (picture.format, picture.size) == ("JPEG", (300, 200))


def test_a_second_request_is_answered_from_disk_without_python(host: Any, get: Any, key: str) -> None:
    first = get(f"/large/{key}")
    cached = tomllib.loads(host.file("/etc/resizer.toml").content_string)["cache_dir"]
    assert host.file(f"{cached}/large/{key}").content == first.body
    second = get(f"/large/{key}")
    assert (second.status, second.body) == (200, first.body)
    assert first.headers.get("x-resizer") in BY_PYTHON
    assert second.headers.get("x-resizer") not in BY_PYTHON


def test_a_result_is_stored_back_to_the_bucket(get: Any, shelf: Shelf, key: str) -> None:
    answer = get(f"/thumb/{key}")
    assert shelf.result(f"w150,h150,fill/{key}") == answer.body


def test_an_unknown_key_is_404(get: Any, shelf: Shelf) -> None:
    assert get(f"/medium/{shelf.folder}/nobody.jpg").status == 404


def test_an_object_that_is_no_image_is_415(get: Any, shelf: Shelf) -> None:
    assert get(f"/medium/{shelf.put('note.jpg', b'not a photograph')}").status == 415


def test_what_one_node_has_made_the_next_one_takes_from_the_bucket(
    nodes: list[Any], get_from: Any, bucket: str, aws: Any
) -> None:
    ours = shelf_of(nodes[0], bucket, aws)
    try:
        key = ours.put("shared.jpg", photograph(640, 480))
        first = get_from(nodes[0], f"/medium/{key}")
        assert ours.result(f"w300,h300/{key}") == first.body
        second = get_from(nodes[1], f"/medium/{key}")
    finally:
        ours.clear()
    assert (second.headers.get("x-resizer"), second.body) == ("store", first.body)
