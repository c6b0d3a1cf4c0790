"""Programs of packages from PyPI, in environments of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from bench.errors import BenchError


def programs(*pins: str) -> Path:
    """The folder of these packages' programs; made once per set of pins and Python. Raises BenchError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amibake" / "bench"
    kept = cache / hashlib.sha256(("\n".join(pins) + sys.version).encode()).hexdigest()[:12]
    if not (kept / "complete").exists():
        venv.create(kept, clear=True, with_pip=True)
        argv = [str(kept / "bin" / "pip"), "install", "-q", *pins]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise BenchError(f"pip could not install {', '.join(pins)}: {ended.stderr[-800:]}")
        (kept / "complete").touch()
    return kept / "bin"
