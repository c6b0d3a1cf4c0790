"""What can go wrong with nodes in service.

FleetError
├── BadSize        a load, a node or costs that cannot be
├── NoJavaSecurity no JRE's settings are where they should be
└── NotServing     a node is up and does not answer as it should
"""

from __future__ import annotations


class FleetError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class BadSize(FleetError):
    """A load, a node or costs that cannot be."""


class NoJavaSecurity(FleetError):
    """No JRE's settings are where they should be."""


class NotServing(FleetError):
    """A node is up and does not answer as it should."""
