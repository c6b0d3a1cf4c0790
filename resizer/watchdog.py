"""The watchdog: what no check inside can stop, a decoder that never returns, ends with its process.

Between reads the deadline of limits.py ends a rendering in order. A decoder that spins within one call cannot
be ended from Python; its process can. Apache starts another, and the other processes serve meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 70  # EX_SOFTWARE: the fault is in the program, not in its use


def _end_process() -> None:
    os._exit(EXIT_CODE)  # not sys.exit: the thread that hangs would never hear of it


@contextmanager
def watched(seconds: float, bite: Callable[[], None] = _end_process) -> Iterator[None]:
    """End this process if the block takes longer than `seconds`.

    All that its other threads are doing ends with it, so one rendering per process is best. It bites only
    while the block releases the interpreter's lock, as Pillow's decoders do.
    """
    timer = threading.Timer(seconds, bite)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
