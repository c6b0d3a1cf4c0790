"""A whole node: the site's own template in a real Apache, real mod_wsgi, real renderers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from resizer_server import SIGNING_KEY, Answer, Site

from resizer.client import url
from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.machines
PHOTO = photograph(900, 600)
# Everything that Apache and Python may see differently: quoting, merging, dots, queries, other scripts.
NASTY = (
    "a.jpg",
    "a b.jpg",
    "a+b.jpg",
    "a%b.jpg",
    "a?b.jpg",
    "a#b.jpg",
    "a&b=c;d.jpg",
    "a\"'b.jpg",
    "a$1%Z.jpg",
    "%{REQUEST_URI}.jpg",
    "${TMPDIR}.jpg",
    "deep/er/and/deeper/a.jpg",
    "f_webp/a.jpg",
    "thumb/a.jpg",
    "unsafe/w30/a.jpg",
    "A" * 43 + "/w30/a.jpg",
    "ä/写真/🖼.jpg",
    "e\u0301.jpg",
    "é.jpg",
    "UPPER.JPG",
    "a.jpeg",
    "a.PnG",
    "a.webp",
    "a.gif",
    "a.avif",
    "a.bmp",
    "a.jpg.gz",
    "a.var",
    "a.html",
    "a.jpg/b",
    "noextension",
    "jpg",
    "trailing.",
    "a..b.jpg",
    "~a.jpg",
    "a,b.jpg",
    "w300,h200/a.jpg",
    "k" * 400 + ".jpg",
    "k/" * 200 + "a.jpg",
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with node() as running:
        yield running


@contextlib.contextmanager
def node(**how: Any) -> Iterator[Site]:
    """A node in a folder that users other than root may enter, which is not so for pytest's."""
    with tempfile.TemporaryDirectory(prefix="resizer-") as root, Site(Path(root), **how) as running:
        yield running


def signed(key: str, options: str) -> str:
    return url("", key, options=options, signing_key=SIGNING_KEY)


@pytest.mark.parametrize("key", [key for key in NASTY if len(key) < 256 and key != "a.jpg/b"])
def test_what_python_has_kept_under_a_key_apache_finds(site: Site, key: str) -> None:
    site.upload(key, PHOTO)
    for path in (
        signed(key, "w40"),
        f"/thumb/{quote(key)}",
        signed(key, "w40,f_webp"),
        f"/thumb/{quote(key, safe='')}",
    ):
        first, second = site.get(path), site.get(path)
        assert (first.status, second.status) == (200, 200), first.body
        assert second.headers["x-resizer"] == "apache", path
        assert (second.body, second.headers["content-type"]) == (first.body, first.headers["content-type"])
        assert second.headers["etag"] == first.headers["etag"]
        assert "content-encoding" not in second.headers


def test_no_two_keys_share_a_file(site: Site) -> None:
    bodies = {}
    for number, key in enumerate(("x/1.jpg", "X/1.jpg")):
        site.upload(key, photograph(300 + number, 200))
    for key in ("x/1.jpg", "X/1.jpg", "x//1.jpg", "x%2F1.jpg", "x/1.jpg/"):
        answers = [site.get(f"/medium/{key}") for _ in range(2)]
        bodies[key] = (answers[1].status, answers[1].body)
    assert bodies["x/1.jpg"][0] == bodies["X/1.jpg"][0] == 200
    assert bodies["x/1.jpg"] != bodies["X/1.jpg"]
    assert bodies["x%2F1.jpg"] == bodies["x//1.jpg"] == bodies["x/1.jpg"]
    assert bodies["x/1.jpg/"][0] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/medium/../../etc/passwd", 400),
        ("/medium/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/medium/..%2f..%2fetc/passwd", 400),
        ("/medium/%252e%252e/a.jpg", 400),
        ("/medium/a%00.jpg", 404),
        ("/medium/a%0a.jpg", 400),
        ("/medium/%ff.jpg", 400),
        ("/medium/resized/w300,h300/a.jpg", 400),
        ("/.locks/000", 400),
        ("/.purged", 400),
        ("/unsafe/w30/.locks/000", 400),
        ("/cache/", 400),
        ("/", 400),
        ("/resizer.toml", 400),
        ("/wsgi.py", 400),
    ],
)
def test_hostile_paths_reach_nothing(site: Site, path: str, status: int) -> None:
    answer = site.get(path)
    assert answer.status == status
    assert b"root:" not in answer.body


def test_the_files_of_others_keys_cannot_be_asked_for_by_their_names(site: Site) -> None:
    site.upload("secret.jpg", PHOTO)
    assert site.get("/thumb/secret.jpg").status == 200
    names = [path.relative_to(site.root / "cache").as_posix() for path in site.files()]
    assert {site.get(f"/{quote(name)}").status for name in names} == {400}


def test_a_forged_signature_finds_no_file(site: Site) -> None:
    site.upload("guarded.jpg", PHOTO)
    path = signed("guarded.jpg", "w50")
    assert [site.get(path).headers["x-resizer"] for _ in range(2)] == ["render", "apache"]
    forged = f"/{'A' * 43}{path[44:]}"
    assert site.get(forged).status == 403


def test_a_hit_may_be_asked_for_again_in_part_or_by_head(site: Site) -> None:
    site.upload("http.jpg", PHOTO)
    missed = site.get("/thumb/http.jpg")
    hit = site.get("/thumb/http.jpg")
    assert (missed.headers["x-resizer"], hit.headers["x-resizer"]) == ("render", "apache")
    for path, whole in (
        ("/thumb/http.jpg", hit),
        ("/unsafe/w30,f_auto/http.jpg", site.get("/unsafe/w30,f_auto/http.jpg")),
    ):
        assert site.get(path, "HEAD").headers["content-length"] == str(len(whole.body))
        again = site.get(path, If_None_Match=whole.headers["etag"])
        assert (again.status, again.body, again.headers["cache-control"]) == (
            304,
            b"",
            "public, max-age=86400",
        )
        assert site.get(path, If_Modified_Since=whole.headers["last-modified"]).status == 304
    part = site.get("/thumb/http.jpg", Range="bytes=5-9")
    assert (part.status, part.body) == (206, hit.body[5:10])
    assert site.get("/thumb/http.jpg", Range="bytes=999999-").status == 416
    assert hit.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert site.get("/thumb/http.jpg", "POST").status == 405


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_address"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_address"),
        (b"nonsense\r\n\r\n", 400, "bad_address"),
        (b"GET /medium/a%00.jpg HTTP/1.1\r\nHost: a\r\n\r\n", 404, "bad_address"),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 400, "bad_address"),
        (b"GET /.errors/503 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_address"),
    ],
)
def test_what_apache_refuses_by_itself_has_the_form_of_our_refusals(
    site: Site, request_: bytes, status: int, code: str
) -> None:
    answer = site.said(request_)
    assert answer.status == status
    assert answer.body.split()[0].decode() == code
    assert answer.headers["content-type"].replace("; ", ";") == "text/plain;charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=5"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [("Content-Length: 9999999", 413, "too_large_request"), ("Range: bytes=999999-", 416, "bad_range")],
)
def test_what_apache_refuses_of_a_file_says_why(site: Site, header: str, status: int, code: str) -> None:
    site.upload("e.jpg", PHOTO)
    site.get("/thumb/e.jpg")
    answer = site.said(f"GET /thumb/e.jpg HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
    assert (answer.status, answer.body.split()[0].decode()) == (status, code)
    assert answer.headers["x-request-id"]


def test_a_node_whose_application_does_not_start_says_so_in_one_line_that_nobody_keeps() -> None:
    with node() as site:
        site.upload("hit.jpg", PHOTO)
        site.get("/thumb/hit.jpg")
        site.config.write_text("nonsense")
        os.kill(site.fetch(), signal.SIGKILL)
        Site.until(lambda: site.get("/health").status == 500, "the application fails to start")
        broken, hit = site.get("/medium/hit.jpg"), site.get("/thumb/hit.jpg")
        assert (broken.status, broken.body.split()[0]) == (500, b"broken")
        assert broken.headers["content-type"].startswith("text/plain")
        assert broken.headers["cache-control"] == "no-store"
        assert (hit.status, hit.headers["x-resizer"]) == (200, "apache")


def test_a_connection_that_asks_nothing_is_kept_and_one_that_asks_too_slowly_is_ended(site: Site) -> None:
    """As apache.conf has it: 75 s for the first, which load balancers reuse, and 10 s for the other."""
    site.upload("kept.jpg", PHOTO)
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=40) as slow,
        socket.create_connection(("127.0.0.1", site.port), timeout=40) as kept,
    ):
        request = b"GET /thumb/kept.jpg HTTP/1.1\r\nHost: a\r\n\r\n"
        slow.sendall(request[:20])
        assert site.said_over(kept, request).status == 200
        refused = slow.recv(65536)
        assert not refused or refused.startswith(b"HTTP/1.1 408 ")
        assert b"too_late " in refused or not refused
        assert site.said_over(kept, request).headers["x-resizer"] == "apache"


def test_a_hit_larger_than_what_apache_reads_at_once_arrives_whole_and_in_parts(site: Site) -> None:
    site.upload("large.png", photograph(900, 600))
    missed, hit = (site.get("/large/large.png") for _ in range(2))
    assert (missed.headers["x-resizer"], hit.headers["x-resizer"]) == ("render", "apache")
    assert len(hit.body) > 3 * 65536
    assert hit.body == missed.body
    part = site.get("/large/large.png", Range="bytes=65000-200000")
    assert (part.status, part.body) == (206, hit.body[65000:200001])


def test_24_at_once_for_one_cold_picture_cost_one_rendering(site: Site) -> None:
    site.upload("crowd.jpg", photograph(2400, 1600))
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: site.get("/large/crowd.jpg"), range(24)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert [answer.headers["x-resizer"] for answer in answers].count("render") == 1


def test_the_log_is_json_and_tells_who_found_the_image(site: Site) -> None:
    site.upload('l"og ä.jpg', PHOTO)
    answers = [site.get(f"/thumb/{quote('l' + chr(34) + 'og ä.jpg')}") for _ in range(2)]
    known = {answer.headers["x-request-id"]: answer for answer in answers}
    from resizer.accesslog import entry

    def written() -> list[bytes]:
        every = site.log("access.log").encode().splitlines()
        return [line for line in every if any(one.encode() in line for one in known)]

    # Apache writes its line after the answer.
    deadline = time.monotonic() + 10
    while len(lines := written()) < len(known) and time.monotonic() < deadline:
        time.sleep(0.05)
    read = [entry(line) for line in lines]
    assert sorted((each.path, each.status, each.state) for each in read if each) == [
        ('/thumb/l"og ä.jpg', 200, "apache"),
        ('/thumb/l"og ä.jpg', 200, "render"),
    ]


def test_metrics_add_up_over_the_processes(site: Site) -> None:
    told = site.get("/metrics").body.decode()
    assert "resizer_renders_total" in told
    assert "resizer_queue_length 0.0" in told
    assert "resizer_slots_busy 0.0" in told


@pytest.mark.parametrize(("crashes", "status"), [(1, 200), (2, 422)])
def test_an_image_that_ends_two_renderers_is_to_blame_and_costs_one_request(
    site: Site, crashes: int, status: int
) -> None:
    site.upload("before.jpg", PHOTO)
    before = site.renderers()
    slow = _slow(site, f"crash{crashes}")
    for _ in range(crashes):
        Site.until(lambda: len(site.renderers()) == len(before), "there are as many renderers as before")
        victim = _busy({each: _ticks(each) for each in site.renderers()})
        os.kill(victim, signal.SIGSEGV)
        Site.until(lambda victim=victim: victim not in site.renderers(), "it is gone")
    answer = slow.result()
    assert answer.status == status
    assert (answer.body.split()[0] == b"undecodable") == (status == 422)
    assert site.get("/thumb/before.jpg").status == 200
    assert "SIGSEGV" in site.log("render.out")


def test_the_service_that_renders_may_be_restarted_under_load(site: Site) -> None:
    site.upload("again.jpg", PHOTO)
    site.stop("render", signal.SIGKILL)
    refused = site.get("/thumb/again.jpg")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    site.start_renderers()
    assert site.get("/thumb/again.jpg").status == 200


class _Pending:
    def __init__(self, site: Site, path: str) -> None:
        self._answer: list[Answer] = []
        self._thread = threading.Thread(target=lambda: self._answer.append(site.get(path)))
        self._thread.start()

    def result(self) -> Answer:
        self._thread.join(60)
        return self._answer[0]


def _slow(site: Site, name: str) -> Any:
    """Begin a request that keeps a renderer busy for seconds."""
    site.upload(f"{name}.jpg", photograph(4000, 3000))
    return _Pending(site, f"/unsafe/w4000,f_avif/{name}.jpg")


def _busy(begun: dict[int, int]) -> int:
    """Return the renderer that has worked since its ticks were counted."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for each, ticks in begun.items():
            if _ticks(each) > ticks + 15:
                return each
        time.sleep(0.02)
    raise AssertionError(f"no renderer works: {begun}")


def _ticks(process: int) -> int:
    with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
        return int(file.read().rpartition(")")[2].split()[11])


def test_a_decoding_that_never_ends_is_ended() -> None:
    with node(settings={"decode_seconds": "3", "renders": "1"}) as site:
        (renderer,) = site.renderers()
        begun = {renderer: _ticks(renderer)}
        slow = _slow(site, "slow")
        os.kill(_busy(begun), signal.SIGSTOP)  # stuck, as in a decoder that never looks at the clock
        answer = slow.result()
        assert (answer.status, answer.body.split()[0]) == (422, b"too_slow")
        os.kill(renderer, signal.SIGCONT)
        Site.until(lambda: renderer not in site.renderers(), "the stuck one is gone")
        site.upload("next.jpg", PHOTO)
        assert site.get("/thumb/next.jpg").status == 200


def test_hits_are_served_while_misses_are_turned_away() -> None:
    settings = {"renders": "1", "queue_length": "1", "queue_seconds": "20"}
    with node(settings=settings) as site:
        site.upload("hit.jpg", PHOTO)
        site.get("/thumb/hit.jpg")
        (renderer,) = site.renderers()
        os.kill(renderer, signal.SIGSTOP)
        misses = []
        for number in range(8):
            site.upload(f"miss{number}.jpg", PHOTO)
            misses.append(_Pending(site, f"/thumb/miss{number}.jpg"))
        Site.until(lambda: site.log("access.log").count('"status":503') >= 1, "the queue is full")
        hits = [site.get("/thumb/hit.jpg") for _ in range(50)]
        assert {(hit.status, hit.headers["x-resizer"]) for hit in hits} == {(200, "apache")}
        assert site.get("/health").status == 200
        os.kill(renderer, signal.SIGCONT)
        statuses = [each.result() for each in misses]
        assert {answer.status for answer in statuses} == {200, 503}
        busy = next(answer for answer in statuses if answer.status == 503)
        assert (busy.headers["retry-after"], busy.headers["cache-control"]) == ("1", "no-store")


def test_origins_and_timings_are_shared_by_hits_as_by_misses() -> None:
    origins = "https://a.example https://b.example"
    settings = {"allow_origins": json.dumps(origins), "timing_allow_origins": '"*"'}
    defines = {"RESIZER_ORIGINS": origins, "RESIZER_TIMING_ORIGINS": "*"}
    with node(settings=settings, defines=defines) as site:
        site.upload("a.jpg", PHOTO)
        for state in ("render", "apache"):
            answer = site.get("/thumb/a.jpg", Origin="https://b.example")
            assert answer.headers["x-resizer"] == state
            assert answer.headers["access-control-allow-origin"] == "https://b.example"
            assert (answer.headers["timing-allow-origin"], answer.headers["vary"]) == ("*", "Origin")
        stranger = site.get("/thumb/a.jpg", Origin="https://evil.example")
        assert "access-control-allow-origin" not in stranger.headers
        assert stranger.headers["vary"] == "Origin"


def test_killed_at_any_moment_a_writer_leaves_no_torn_file(tmp_path: Path) -> None:
    import subprocess
    import sys

    writer = (
        "import sys, pathlib; from resizer import wholefile; from resizer.blob import Blob\n"
        "root = pathlib.Path(sys.argv[1]); number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    wholefile.write(root / f'{number % 50}', Blob(bytes([number % 256]) * 300_000, 1))\n"
        "    print(number, flush=True)\n"
    )
    whole = 0
    for killed in range(12):
        process = subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(3 + killed):
            process.stdout.readline()
        time.sleep(0.0007 * killed)
        process.kill()
        process.wait()
        process.stdout.close()
        for path in tmp_path.iterdir():
            if not path.name.startswith(".new-"):
                data = path.read_bytes()
                assert (len(data), len(set(data))) == (300_000, 1)
                whole += 1
    assert whole > 20
