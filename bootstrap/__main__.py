"""`python -m bootstrap`, on a node and on the desk."""

from __future__ import annotations

import sys

from bootstrap.command import main

raise SystemExit(main(sys.argv[1:]))
