from __future__ import annotations

import io
import json
import re
import struct
import time
import tomllib
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from PIL import Image

from resizer import signature
from resizer.address import Rules, parse
from resizer.client import url
from resizer.photograph import photograph
from resizer.place import place

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_PYTHON = {"disk", "s3", "render", "shared"}
UNITS = ("apache2.service", "resizer-render.service", "resizer-keeper.service")
# A result may be stored after it was sent.
LONGEST_STORING_SECONDS = 10
CACHE = "/var/cache/resizer"


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


def huge_png() -> bytes:
    """The beginning of a PNG that announces 900 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + struct.pack(">I", 999) + b"IDAT"


@pytest.fixture(scope="module")
def sign(host: Any) -> Any:
    """Sign a URL with the key that the node was given."""
    secret = str(tomllib.loads(host.file("/etc/resizer.toml").content_string)["signing_keys"]).split()[0]

    def signed(key: str, options: str, *, canonical: bool = True) -> str:
        if canonical:
            return url("", key, options=options, signing_key=secret)
        return f"/{signature.sign(secret.encode(), f'{options}/{key}')}/{options}/{key}"

    return signed


def tag(answer: Any) -> str:
    """The entity tag of an answer. Apache calls that of an original younger than a second weak."""
    return str(answer.headers["etag"]).removeprefix("W/")


def test_apache_runs_the_application_with_its_own_libraries(host: Any) -> None:
    found = host.check_output("grep -RhoE 'python-home=[^ ]+' /etc/apache2/sites-enabled/")
    assert found == "python-home=/opt/resizer/venv"


def test_health_answers_200(get: Any) -> None:
    assert get("/health").status == 200


def test_the_node_reads_the_bucket_it_was_given(host: Any, bucket: str) -> None:
    assert tomllib.loads(host.file("/etc/resizer.toml").content_string)["bucket"] == bucket
    assert host.file("/etc/resizer.toml").mode == 0o640


def test_a_photograph_of_medium_size_is_300_wide_and_in_proportion(get: Any, key: str) -> None:
    answer = get(f"/medium/{key}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    picture = Image.open(io.BytesIO(answer.body))
    assert (picture.format, picture.size) == ("JPEG", (300, 200))


def test_a_second_request_is_answered_from_disk_without_python(host: Any, get: Any, key: str) -> None:
    first = get(f"/large/{key}")
    assert host.file(f"{CACHE}/{place(parse(f'large/{key}', Rules()))}").content == first.body
    second = get(f"/large/{key}")
    assert (second.status, second.body) == (200, first.body)
    assert first.headers["x-resizer"] in BY_PYTHON
    assert second.headers["x-resizer"] == "apache"
    same = ("last-modified", "cache-control", "content-type", "x-content-type-options")
    assert [second.headers[name] for name in same] == [first.headers[name] for name in same]
    assert tag(second) == tag(first)


def test_a_hit_may_be_asked_for_in_part_by_head_or_again(get: Any, key: str) -> None:
    path = f"/medium/{key}"
    get(path)
    whole = get(path)
    head = get(path, "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(whole.body)))
    part = get(path, Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole.body[10:20])
    for header in (
        {"If-None-Match": whole.headers["etag"]},
        {"If-Modified-Since": whole.headers["last-modified"]},
    ):
        again = get(path, **header)
        assert (again.status, again.body, tag(again)) == (304, b"", tag(whole))


def test_a_signed_url_is_served_for_a_year(get: Any, sign: Any, key: str) -> None:
    for state in ("render", "apache"):
        answer = get(sign(key, "w123,f_webp"))
        assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
        assert answer.headers["x-resizer"] == state
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("note.jpg", b"not a photograph", 415),
        ("cut.jpg", photograph(600, 400)[:-3000], 422),
        ("bomb.png", huge_png(), 413),
    ],
)
def test_an_original_that_will_not_do_has_its_own_status(
    get: Any, shelf: Shelf, name: str, body: bytes, status: int
) -> None:
    answer = get(f"/medium/{shelf.put(name, body)}")
    assert (answer.status, answer.headers["cache-control"]) == (status, "public, max-age=5")
    assert answer.headers["x-request-id"]


def test_what_apache_itself_refuses_has_the_form_of_the_applications_refusals(get: Any) -> None:
    answer = get("/medium/a%00.jpg")
    assert (answer.status, answer.body.split()[0]) == (404, b"bad_address")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_urls_that_are_not_ours_have_their_own_statuses(get: Any, sign: Any, key: str) -> None:
    signed = sign(key, "w321")
    forged = f"/{'A' * 43}/{signed.split('/', 2)[2]}"
    odd = sign(key, "h200,w321", canonical=False)
    asked = {
        forged: 403,
        f"/unsafe/w300/{key}": 403,
        "/nonsense": 400,
        f"/medium/{key}/../x.jpg": 404,
        odd: 301,
    }
    assert {path: get(path).status for path in asked} == asked
    assert get(f"/medium/{key}", "POST").status == 405
    assert get(f"/medium/{key}", "DELETE").status == 405


def test_a_crowd_for_one_cold_picture_costs_one_rendering(get: Any, sign: Any, key: str) -> None:
    path = sign(key, "w777,h555,fill")
    with ThreadPoolExecutor(24) as crowd:
        answers = list(crowd.map(lambda _: get(path), range(24)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert [answer.headers["x-resizer"] for answer in answers].count("render") == 1


def test_the_deep_check_finds_all_parts_well(get: Any) -> None:
    answer = get("/health/deep")
    assert (answer.status, json.loads(answer.body)) == (200, {"render": "ok", "store": "ok", "disk": "ok"})


@pytest.mark.parametrize("unit", UNITS)
def test_the_processes_run_as_units_within_bounds(host: Any, unit: str) -> None:
    assert (host.service(unit).is_running, host.service(unit).is_enabled) == (True, True)
    assert host.check_output("systemctl show --property=MemoryMax --value %s", unit) != "infinity"
    assert host.check_output("systemctl show --property=NRestarts --value %s", unit) == "0"


def test_renderers_give_way_to_everybody_else(host: Any) -> None:
    nice = host.check_output(
        "ps -o ni= -p $(systemctl show --property=MainPID --value resizer-render.service)"
    )
    assert nice.strip() == "10"


def test_metrics_are_for_the_node_alone_and_nothing_is_left_in_a_queue(inside: Any, get: Any) -> None:
    assert get("/metrics").status == 403
    told = inside("/metrics")
    values = dict(re.findall(r"^(resizer_\w+) ([0-9.e+]+)$", told, re.MULTILINE))
    assert [float(values[f"resizer_{name}"]) for name in ("queue_length", "slots_busy")] == [0, 0]
    assert float(re.findall(r"^resizer_renders_total\{.*\} ([0-9.e+]+)$", told, re.MULTILINE)[0]) > 0


def test_the_access_log_tells_who_found_each_image(host: Any, get: Any, key: str) -> None:
    seen = get(f"/medium/{key}").headers["x-request-id"]
    line = host.check_output("grep -F %s /var/log/apache2/access.log", seen)
    entry = json.loads(line)
    assert (entry["path"], entry["status"], entry["id"]) == (f"/medium/{key}", 200, seen)
    assert entry["state"] in {"apache", *BY_PYTHON}
    assert entry["us"] > 0


def test_a_result_is_stored_back_to_the_bucket(get: Any, shelf: Shelf, key: str) -> None:
    answer = get(f"/thumb/{key}")
    assert shelf.result(f"w150,h150,fill/{key}") == answer.body


def test_an_unknown_key_is_404(get: Any, shelf: Shelf) -> None:
    assert get(f"/medium/{shelf.folder}/nobody.jpg").status == 404


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
    assert (second.headers.get("x-resizer"), second.body) == ("s3", first.body)
