"""What a process of the node works with, made from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resizer.breaker import Breaker
from resizer.bucket import S3Store, connector
from resizer.cache import DiskCache
from resizer.folder import FolderStore
from resizer.ladder import Tools
from resizer.renderer import OwnRenderer, RenderService
from resizer.shortcut import shortcut
from resizer.uploads import Uploads

if TYPE_CHECKING:
    from resizer.config import Config
    from resizer.renderer import Renderer
    from resizer.store import Store


def open_store(config: Config) -> Store:
    """Return the store of originals and results; nothing is dialled yet."""
    if config.folder is not None:
        return FolderStore(config.folder)
    bucket = str(config.bucket)
    store = S3Store(connector(config), bucket, lambda client: shortcut(client, bucket, config))
    store.begin()
    return store


def open_tools(config: Config) -> Tools:
    """Return what the application stands on."""
    renderer: Renderer = OwnRenderer(config.renders, config.queue_seconds)
    if config.run_dir is not None:
        renderer = RenderService(config.run_dir / "render.sock", config.queue_seconds)
    store = Breaker(open_store(config))
    return Tools(store, DiskCache(config.cache_dir), renderer, Uploads(config.uploads_waiting))
