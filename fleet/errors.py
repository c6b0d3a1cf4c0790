"""What can go wrong with nodes in service.

FleetError
└── NotServing     a node is up and does not answer as it should
"""

from __future__ import annotations


class FleetError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class NotServing(FleetError):
    """A node is up and does not answer as it should."""
