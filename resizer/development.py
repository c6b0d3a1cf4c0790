"""The service on this machine, for development: a folder of originals, a cache, one threaded server.

It listens on 127.0.0.1 alone, and serves unsigned URLs unless a configuration says otherwise. At `/` it has
what no node has: a page that shows some originals in all formats and modes.
"""

from __future__ import annotations

import importlib
import os
import socketserver
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from resizer import config as configuration
from resizer import showroom
from resizer.client import url
from resizer.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from resizer.config import Config

HOST = "127.0.0.1"
PAINTED = "photo.jpg"
_MOST_TRIED = 200  # files looked at in search of some to try
_SHOWN = 3  # originals on the page


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"


@contextmanager
def configured(folder: Path | None, settings: Path | None) -> Iterator[Path]:
    """Give a configuration file: that of `settings`, or one for `folder`, or one for a painted photograph.

    What is made for it, cache and photograph, is removed at the end. Raises ToolError or ConfigError.
    """
    if settings and folder:
        raise ToolError(
            "A folder and a configuration were both given.", "Give one; a configuration names its folder."
        )
    with ExitStack() as stack:
        if settings:
            configuration.read(settings)
            yield settings
            return
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="resizer-")))
        toml = home / "resizer.toml"
        originals = folder.resolve() if folder else _painted(home)
        if not originals.is_dir():
            raise ToolError(f"{originals}: there is no such folder.", "Name a folder of images, or none.")
        lines = [
            f"folder = {_quoted(originals)}",
            f"cache_dir = {_quoted(home / 'cache')}",
            "unsigned = true",
        ]
        toml.write_text("\n".join([*lines, 'results_prefix = ".resized"', ""]), encoding="utf-8")
        yield toml


@contextmanager
def server(toml: Path, port: int) -> Iterator[WSGIServer]:
    """Give a server of the application with this configuration; 0 is any free port. Raises ToolError."""
    application = with_showroom(application_of(toml), configuration.read(toml))
    try:
        made = make_server(HOST, port, application, server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        raise ToolError(f"{HOST}:{port}: {error}", "Choose another --port, or 0 for any free one.") from error
    with made:
        yield made


def application_of(toml: Path) -> WSGIApplication:
    """Return the application as mod_wsgi would build it."""
    before = os.environ.get("RESIZER_CONFIG")
    os.environ["RESIZER_CONFIG"] = str(toml)
    try:
        return cast("WSGIApplication", importlib.import_module("resizer.wsgi").application)
    finally:
        if before is None:
            del os.environ["RESIZER_CONFIG"]
        else:
            os.environ["RESIZER_CONFIG"] = before


def with_showroom(application: WSGIApplication, config: Config) -> WSGIApplication:
    """Return the application with the page at `/`, where the configuration admits options."""
    if not _admits_options(config):
        return application

    def shown(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/":
            return application(environ, start_response)
        page = showroom.page(examples(config), lambda key, options: _sized("", key, options, config))
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [page.encode()]

    return shown


def links(base: str, config: Config, find: Callable[[Config], str] | None = None) -> tuple[str, ...]:
    """Return URLs to try: every preset, and what the configuration admits beside them."""
    key = (find or example)(config)
    tried = [url(base, key, preset=name) for name in config.presets]
    if _admits_options(config):
        tried += [
            _sized(base, key, text, config)
            for text in ("w400,h400,smart,f_webp", "w300,h200,pad,bg_1f2933,gray", "w600,q60,sharpen1")
        ]
    return (*tried, f"{base}/health")


def example(config: Config) -> str:
    """Return the key of an original in the folder; of a bucket, a guess."""
    found = examples(config)
    return PAINTED if PAINTED in found else found[0]


def examples(config: Config) -> tuple[str, ...]:
    """Return the keys of some originals in the folder; of a bucket, a guess."""
    if config.folder is None:
        return (PAINTED,)
    root = config.folder / config.prefix
    found = []
    for file in islice(root.rglob("*.*"), _MOST_TRIED):
        name = file.relative_to(root).as_posix()
        if file.is_file() and not any(part.startswith(".") for part in name.split("/")):
            found.append(name)
    return tuple(sorted(found)[:_SHOWN]) or (PAINTED,)


def _admits_options(config: Config) -> bool:
    return not config.presets_only and bool(config.signing_keys or config.unsigned)


def _sized(base: str, key: str, options: str, config: Config) -> str:
    secret = config.signing_keys[0] if config.signing_keys else ""
    return url(base, key, options=options, signing_key=secret)


def _painted(home: Path) -> Path:
    from resizer.samples import samples

    originals = home / "originals"
    originals.mkdir()
    for key, data in samples().items():
        (originals / key).write_bytes(data)
    return originals


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
