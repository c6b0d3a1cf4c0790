"""A whole node in a temporary directory: folder store, disk cache, application; called without a server."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from PIL import Image
from resizer_picture import encoded, opened, quarters

from resizer.address import parse
from resizer.app import make_application
from resizer.cache import DiskCache
from resizer.config import Config
from resizer.folder import FolderStore
from resizer.ladder import Tools
from resizer.place import place
from resizer.renderer import OwnRenderer
from resizer.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resizer.blob import Blob
    from resizer.renderer import Renderer

MODIFIED = 1_700_000_000
PHOTO = encoded(quarters(900, 600))
PRESETS = {f"w{width}": f"w{width}" for width in range(1, 1200)}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def image(self) -> Image.Image:
        return opened(self.body)


@dataclass
class WatchedStore(FolderStore):
    """A folder store that remembers what was asked of it, and lets a test step in before each answer."""

    root: Path
    log: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _verb, _key: None

    def __post_init__(self) -> None:
        super().__init__(self.root)

    def read(self, key: str, max_bytes: int) -> Blob:
        self.log.append(("read", key))
        self.before("read", key)
        return super().read(key, max_bytes)

    def etag(self, key: str) -> str:
        self.log.append(("etag", key))
        self.before("etag", key)
        return super().etag(key)

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        self.log.append(("write", key))
        self.before("write", key)
        super().write(key, blob, media_type)


class Node:
    def __init__(self, root: Path, store: WatchedStore | None = None, **settings: Any) -> None:
        self.ahead = 0.0  # seconds by which this node's clock is ahead
        self.store = store or WatchedStore(root / "store")
        self.cache = DiskCache(root / "cache")
        self.config = Config(
            folder=self.store.root, cache_dir=self.cache.root, **{"presets": PRESETS, **settings}
        )
        self.uploads = Uploads(100)
        self.renderer: Renderer = OwnRenderer(2, 30)
        self.start()

    def start(self) -> None:
        """Make the application anew, as a restart would."""
        tools = Tools(self.store, self.cache, self.renderer, self.uploads, lambda: time.time() + self.ahead)
        self.application = make_application(self.config, tools)

    def file(self, url: str) -> Path:
        """Where the disk keeps what this URL asks for."""
        where = place(parse(unquote_to_bytes(url).decode(), self.config.rules))
        assert where is not None
        return self.cache.root / where

    def upload(self, key: str, data: bytes) -> None:
        path = self.store.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (MODIFIED, MODIFIED))

    def get(self, url: str, method: str = "GET", **headers: str) -> Answer:
        """Call the application as a server would, with percent-decoded bytes dressed up as Latin-1."""
        path, _, query = url.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "UNIQUE_ID": "given by Apache",
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        begun: list[Any] = []
        body = b"".join(self.application(environ, lambda *start: begun.append(start)))
        assert self.uploads.finish(30)
        ((status, pairs),) = begun
        return Answer(int(status.split()[0]), dict(pairs), body)
