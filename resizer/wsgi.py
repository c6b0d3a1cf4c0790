"""The entry for mod_wsgi: `application`, built when the module is imported.

The configuration is the file named by the environment variable RESIZER_CONFIG, else /etc/resizer.toml.
"""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from resizer import config as configuration

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from wsgiref.types import WSGIApplication


def build(environ: MutableMapping[str, str]) -> WSGIApplication:
    """Build the application of this process. Raises ConfigError."""
    config = configuration.read(Path(environ.get("RESIZER_CONFIG", "/etc/resizer.toml")))
    if config.run_dir is not None:
        # Read when the counters are made: so before anything that counts is imported.
        environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(config.run_dir / "metrics"))
    from resizer.app import make_application
    from resizer.opening import open_tools

    made = make_application(config, open_tools(config))
    gc.collect()
    gc.freeze()  # what is there by now stays: looking through boto3's tables again and again frees nothing
    return made


# The host program's own logging, if it has any, stays as it is; under mod_wsgi this is Apache's error log.
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
application = build(os.environ)
