"""`python -m bootstrap`, on a node and on the desk."""

from __future__ import annotations

import gc
import sys

# Most of a run that changes nothing is importing, and none of that is ever garbage, nor are its copies.
gc.disable()

from bootstrap.command import main  # noqa: E402 - the collector is off first

gc.freeze()
gc.enable()

raise SystemExit(main(sys.argv[1:]))
