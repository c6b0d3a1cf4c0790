"""What ends a benchmark."""

from __future__ import annotations


class BenchError(Exception):
    """A figure could not be taken: why, and in `hint` the next step to take."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint
