"""`invoke resizer.…`: URLs, a server for development, logs, originals, purges and warming."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aws.session import connect
from fleet.resizer_views import Heated, Linked, Served, Stored, Told
from resizer import address, client, development, purges, stats, warm
from resizer import config as configuration
from resizer.accesslog import entries
from resizer.bucket import S3Store
from resizer.errors import ToolError

if TYPE_CHECKING:
    from aws.session import Cloud

_BUCKET = {
    "bucket": "the nodes' bucket",
    "prefix": "where in it the originals are, as the nodes have it",
    "results-prefix": "where in it the results are, as the nodes have it",
}
_SIGNING_KEY = "file with the key to sign with (its first word), or one of words as the nodes have it"
_stderr = Console(stderr=True)


@task(
    positional=["key"],
    iterable=["preset", "options"],
    help={
        "key": "the original's key",
        "preset": "its size by name; repeat it for more",
        "options": "its size as options, such as w300,h200,fill; repeat it for more",
        "base": "what the nodes' URLs begin with",
        "signing-key": _SIGNING_KEY,
    },
)
def url(
    _: Context,
    key: str,
    preset: Sequence[str] = (),
    options: Sequence[str] = (),
    base: str = "http://127.0.0.1:8300",
    signing_key: str = "",
) -> Linked:
    """Print the URLs of an original's results, signed where there is a key."""
    if not preset and not options:
        raise ToolError("Neither a preset nor options were given.", "Say --preset medium, or --options w300.")
    secret = _secret(signing_key)
    named = [client.url(base, key, preset=name) for name in preset]
    sized = [client.url(base, key, options=text, signing_key=secret) for text in options]
    return Linked((*named, *sized))


@task(
    help={
        "folder": "folder of originals (default: some painted for the occasion)",
        "config": "a node's configuration instead (TOML)",
        "port": "port on 127.0.0.1; 0 for any free one",
    }
)
def serve(_: Context, folder: str = "", config: str = "", port: int = 8300) -> Served:
    """Run the service on this machine for development, until interrupted."""
    given = development.configured(Path(folder) if folder else None, Path(config) if config else None)
    with given as toml, development.server(toml, port) as server:
        base = f"http://{development.HOST}:{server.server_port}"
        tried = development.links(base, configuration.read(toml))
        _say(
            f"{base} serves, and shows what it can; Ctrl-C ends it. Try:\n\n"
            + "\n".join(f"    curl -sI {one}" for one in tried)
            + "\n"
        )
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            _say("")
        return Served(base, tried)


@task(
    name="stats",
    positional=["log"],
    iterable=["also"],
    help={
        "log": "a node's access log, also .gz; a pattern in quotes ('access.log*') for many, - for a pipe",
        "also": "another one; repeat it for more",
        "top": "how many of the most wanted originals are shown",
        "plot": "draw it into this file, as SVG",
    },
)
def stats_(_: Context, log: str, also: Sequence[str] = (), top: int = 10, plot: str = "") -> Told:
    """Tell hit ratio, repeated requests, latency by class, bytes and the most wanted, from access logs."""
    from resizer import plot as drawing

    tally = stats.Tally()
    for name in _files([log, *also]):
        for entry in entries(Path(name)):
            tally.add(entry)
    report = tally.report(max(top, 9 if plot else 0))
    if plot:
        try:
            Path(plot).write_text(drawing.svg(report), encoding="utf-8")
        except OSError as error:
            raise ToolError(f"{plot}: {error.strerror}", "Name a file that can be written.") from error
    return Told(report, plot)


@task(
    positional=["file"],
    iterable=["also"],
    help={
        "file": "an image, or a pattern in quotes for many ('photos/*.jpg')",
        "also": "another one; repeat it for more",
        "under": "folder of the key, before the file's name",
        **_BUCKET,
    },
)
def put(
    _: Context,
    file: str,
    bucket: str,
    also: Sequence[str] = (),
    under: str = "",
    prefix: str = "",
    results_prefix: str = "resized",
) -> Stored:
    """Put originals into the nodes' bucket, and purge what was made of those they replace."""
    cloud, config = connect(), _config(bucket, prefix, results_prefix)
    files = [Path(name) for name in _files([file, *also])]
    keys = [address.check_key(f"{under.strip('/')}/{one.name}".lstrip("/"), config.rules) for one in files]
    for one, key in zip(files, keys, strict=True):
        _upload(cloud, one, bucket, config.original(key))
        _purge(cloud, config, key)
    return Stored("put", bucket, tuple(keys))


@task(
    positional=["key"],
    iterable=["also"],
    help={"key": "the original's key", "also": "another one; repeat it for more", **_BUCKET},
)
def purge(
    _: Context,
    key: str,
    bucket: str,
    also: Sequence[str] = (),
    prefix: str = "",
    results_prefix: str = "resized",
) -> Stored:
    """Remove all that was made of an original: from the bucket now, from every node's disk within seconds."""
    cloud, config = connect(), _config(bucket, prefix, results_prefix)
    keys = [address.check_key(one, config.rules) for one in (key, *also)]
    for one in keys:
        _purge(cloud, config, one)
    return Stored("purged", bucket, tuple(keys))


@task(
    name="warm",
    positional=["keys"],
    iterable=["preset", "options"],
    help={
        "keys": "file of keys, one a line",
        "base": "what the nodes' URLs begin with, such as http://10.117.0.10",
        "preset": "size by name; repeat it for more",
        "options": "size as options; repeat it for more",
        "signing-key": _SIGNING_KEY,
        "at-once": "requests at a time",
        "journal": "file that notes what is done; with it, the same command goes on where it was",
    },
)
def warm_(
    _: Context,
    keys: str,
    base: str,
    preset: Sequence[str] = (),
    options: Sequence[str] = (),
    signing_key: str = "",
    at_once: int = 8,
    journal: str = "",
) -> Heated:
    """Have results made before anybody asks: presets and options of all keys in a file."""
    ways: list[tuple[str, Callable[[str], str]]] = [
        (name, partial(client.url, base, preset=name)) for name in preset
    ]
    secret = _secret(signing_key)
    ways += [(text, partial(client.url, base, options=text, signing_key=secret)) for text in options]
    if not ways or at_once < 1:
        raise ToolError(
            "There is nothing to ask for.", "Say --preset medium or --options w300, and --at-once 1 or more."
        )
    listed = Path(keys)
    wanted = ((f"{name}/{key}", partial(link, key)) for key in warm.keys(listed) for name, link in ways)
    total = len(ways) * sum(1 for _ in warm.keys(listed))
    with warm.Journal(Path(journal) if journal else None) as kept, _progress(total) as tell:
        return Heated(warm.Warmer(warm.head, at_once, tell).run(wanted, kept))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Any]]:
    columns = (TextColumn("warming"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_stderr) as progress:
        yield partial(progress.advance, progress.add_task("", total=total))


def _upload(cloud: Cloud, file: Path, bucket: str, key: str) -> None:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    try:
        with file.open("rb") as body:
            cloud.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
    except OSError as error:
        raise ToolError(f"{file}: {error.strerror}", "Name images that can be read.") from error


def _purge(cloud: Cloud, config: configuration.Config, key: str) -> None:
    purges.purge(S3Store(lambda: cloud.s3, str(config.bucket)), config, key)


def _config(bucket: str, prefix: str, results_prefix: str) -> configuration.Config:
    given = {"bucket": bucket, "prefix": prefix, "results_prefix": results_prefix}
    return configuration.parse(given, "the command line")


def _files(patterns: Sequence[str]) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        path = Path(pattern)
        found_here = sorted(map(str, path.parent.glob(path.name))) if path.name else []
        names = [pattern] if pattern == "-" or path.exists() else found_here
        if not names:
            raise ToolError(f"{pattern}: there is no such file.", "Name a file, or a pattern in quotes.")
        found += names
    return found


def _secret(file: str) -> str:
    if not file:
        return ""
    try:
        words = Path(file).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{file}: cannot be read: {error}", "Name a file with the signing key.") from error
    if not words:
        raise ToolError(f"{file}: is empty.", "Make a key with `openssl rand -hex 32`.")
    return words[0]


def _say(text: str) -> None:
    _stderr.print(escape(text), highlight=False, soft_wrap=True)


TASKS_WITHOUT_CLOUD = (url, serve, stats_, warm_)
TASKS = (put, purge)
