"""`python -m bootstrap`, on a node and on the desk."""

from __future__ import annotations

import gc
import sys

# Most of a run that changes nothing is importing, and little of what it makes is ever garbage: it is
# collected in the copies alone, which run what may take long.
gc.disable()

from bootstrap.command import main  # noqa: E402 - the collector is off first

raise SystemExit(main(sys.argv[1:]))
