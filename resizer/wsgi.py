"""The entry for mod_wsgi: `application`, built when the module is imported.

The configuration is the file named by the environment variable RESIZER_CONFIG, else /etc/resizer.toml.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resizer import config as configuration
from resizer.app import make_application
from resizer.cache import DiskCache
from resizer.store import FolderStore, S3Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

    from resizer.store import Store


def build(environ: Mapping[str, str]) -> WSGIApplication:
    """Build the application of this process. Raises ConfigError."""
    config = configuration.read(Path(environ.get("RESIZER_CONFIG", "/etc/resizer.toml")))
    store: Store
    if config.folder is not None:
        store = FolderStore(config.folder)
    else:
        store = S3Store(s3_client(), str(config.bucket))
    return make_application(config, store, DiskCache(config.cache_dir))


def s3_client() -> Any:
    """Return an S3 client that gives up before the visitor does.

    Region, endpoint and credentials come from boto3's ordinary chain.
    """
    import boto3
    from botocore.config import Config as ClientConfig

    deadlines = ClientConfig(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 2, "mode": "standard"},
        max_pool_connections=32,
    )
    return boto3.client("s3", config=deadlines)


# The host program's own logging, if it has any, stays as it is; under mod_wsgi this is Apache's error log.
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
application = build(os.environ)
