"""What can go wrong with the cloud on this computer.

LocalCloudError
├── NotPossibleHere     this computer cannot run machines (not Linux, not root, no nspawn)
├── MissingPackages     Debian packages are needed and were not to be installed
├── CommandFailed       a program of the host ended with an error
├── BootFailed          a machine ended before its systemd was up
├── DaemonTrouble       the daemon does not start, does not answer, or runs twice
└── AddressConflict     the network is in use by something else on this computer
"""

from __future__ import annotations


class LocalCloudError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class NotPossibleHere(LocalCloudError):
    """This computer cannot run machines."""


class MissingPackages(LocalCloudError):
    """Debian packages are needed and were not to be installed."""


class CommandFailed(LocalCloudError):
    """A program of the host ended with an error."""


class BootFailed(LocalCloudError):
    """A machine ended before its systemd was up."""


class DaemonTrouble(LocalCloudError):
    """The daemon does not start, does not answer, or runs already."""


class AddressConflict(LocalCloudError):
    """The network is in use by something else on this computer."""
