"""Load: wrk and ab in a closed loop, and a client of our own in an open one, that waits for no answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.errors import BenchError

_LONGEST_ANSWER_SECONDS = 30.0
# As load balancers do: whoever uses connections again has to be the first to give up an idle one.
_LONGEST_IDLE_SECONDS = 60.0
_ONCE = """local answered = 0
response = function()
  answered = answered + 1
  if answered == #paths then wrk.thread:stop() end
end
"""
_TOLD_BY_AB = r"^\s*([^:\n]+?):?\s+(\d+(?:\.\d+)?)(?![\d.])"
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Closed:
    """What wrk or ab saw: requests that were answered, its errors, and its 99th percentile."""

    requests: int
    seconds: float
    errors: int
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


def wrk(
    urls: Sequence[str],
    seconds: float,
    connections: int = 32,
    headers: Sequence[str] = (),
    *,
    once: bool = False,
) -> Closed:
    """Ask for URLs of one server, in turn, over kept connections, as fast as answers come; whole seconds.

    With `once`, ask no more when as many are answered as there are URLs; wrk waits for its time all the same.
    """
    server = urlsplit(urls[0])
    script = _script([urlsplit(url).path for url in urls], once=once)
    argv = [
        "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency",
        "--timeout=30s", "-s", str(script),
        *itertools.chain.from_iterable(("-H", header) for header in headers),
        f"{server.scheme}://{server.netloc}",
    ]  # fmt: skip
    try:
        ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    finally:
        script.unlink()
    if ended.returncode:
        raise BenchError(f"wrk ended with {ended.returncode}: {(ended.stderr or ended.stdout)[-400:]}")
    return _told(ended.stdout)


def ab(url: str, seconds: int, connections: int = 32, *, head: bool = False) -> Closed:
    """Ask for one URL over kept connections, as fast as answers come; for `head` alone with HEAD."""
    argv = [
        "ab",
        "-q",
        "-k",
        f"-c{connections}",
        f"-t{seconds}",
        "-n10000000",
        *(["-i"] if head else []),
        url,
    ]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if ended.returncode:
        raise BenchError(
            f"ab ended with {ended.returncode}: {ended.stderr[-400:]}", "apt-get install apache2-utils"
        )
    lines = re.findall(_TOLD_BY_AB, ended.stdout, re.MULTILINE)
    told = {name: float(value) for name, value in lines}
    errors = told["Failed requests"] + told.get("Non-2xx responses", 0) + told.get("Write errors", 0)
    return Closed(
        int(told["Complete requests"]), told["Time taken for tests"], int(errors), told.get("99%", 0.0)
    )


def _script(paths: Sequence[str], *, once: bool) -> Path:
    import tempfile

    listed = ",\n".join(f'"{path}"' for path in paths)
    text = (
        f"local paths = {{\n{listed}\n}}\nlocal at = 0\n"
        "request = function()\n  at = at % #paths + 1\n"
        f'  return wrk.format("GET", paths[at])\nend\n' + (_ONCE if once else "")
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as file:
        file.write(text)
    return Path(file.name)


def _told(text: str) -> Closed:
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    if not done or not p99:
        raise BenchError(f"wrk said nothing to be read:\n{text[-800:]}")
    errors = sum(int(found) for found in re.findall(r"(?:connect|read|write|timeout) (\d+)", text))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors += int(refused[1]) if refused else 0
    seconds = float(done[2]) * _UNITS[done[3]] / 1000
    return Closed(int(done[1]), seconds, errors, float(p99[1]) * _UNITS[p99[2]])


@dataclass
class Answers:
    """Latencies in milliseconds, from when a request was due, and how the others ended."""

    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def percentile(self, share: float) -> float:
        """The latency that this share of the answers stayed below; infinite without any."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")

    @property
    def failed(self) -> int:
        """Requests that ended otherwise than with a 2xx or 3xx."""
        return sum(times for status, times in self.statuses.items() if status[:1] not in "23")


@dataclass
class _Pool:
    """Connections to use again, the one of late first."""

    idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def taken(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One that was not idle for too long, else a new one."""
        if self.idle and time.perf_counter() - self.idle[-1][0] > _LONGEST_IDLE_SECONDS:
            self.close()
        return self.idle.pop()[1:] if self.idle else await asyncio.open_connection(host, port)

    def give_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep one whose answer has been read to its end."""
        self.idle.append((time.perf_counter(), reader, writer))

    def close(self) -> None:
        """Close all that are idle."""
        for _, _, writer in self.idle:
            writer.close()
        self.idle.clear()


def open_loop(
    classes: dict[str, Sequence[str]], shares: dict[str, float], rate: float, seconds: float, seed: int = 1
) -> dict[str, Answers]:
    """Ask at random moments, `rate` a second on average, whatever becomes of the answers.

    Each class of URLs gets its share; a class is gone through in order, over and over.
    """
    return asyncio.run(_open_loop(classes, shares, rate, seconds, random.Random(seed)))  # noqa: S311 - a schedule


async def _open_loop(
    classes: dict[str, Sequence[str]],
    shares: dict[str, float],
    rate: float,
    seconds: float,
    dice: random.Random,
) -> dict[str, Answers]:
    answers = {name: Answers() for name in classes}
    turns = {name: itertools.cycle(urls) for name, urls in classes.items()}
    pool = _Pool()
    running: set[asyncio.Task[None]] = set()
    names, weights = list(shares), list(shares.values())
    began, due = time.perf_counter(), 0.0
    while (due := due + dice.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        (name,) = dice.choices(names, weights)
        task = asyncio.create_task(_ask(next(turns[name]), began + due, answers[name], pool))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    pool.close()
    return answers


async def _ask(url: str, due: float, answers: Answers, pool: _Pool) -> None:
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_LONGEST_ANSWER_SECONDS):
            reader, writer = await pool.taken(str(parts.hostname), parts.port or 80)
            writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            status, keeps = await _answer(reader)
    except TimeoutError:
        answers.statuses["timeout"] += 1
        return
    except (OSError, EOFError, ValueError) as why:
        answers.statuses[type(why).__name__] += 1
        return
    answers.statuses[str(status)] += 1
    if status < 400:
        answers.latencies_ms.append((time.perf_counter() - due) * 1000)
    if keeps:
        pool.give_back(reader, writer)
    else:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status of an answer that is read to its end, and whether the connection lives on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split()[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    elif status not in (204, 304):
        await reader.readexactly(int(headers.get("content-length", "0")))
    return status, headers.get("connection", "").lower() != "close"
