"""What can go wrong with nodes in service.

FleetError
├── BadSize           a load, a node or costs that cannot be
├── NoJavaSecurity    no JRE's settings are where they should be
├── NotServing        a node is up and does not answer as it should
├── DeploymentError   the deployment file cannot be used: unknown key, wrong type, missing file or input
├── NotThere          something that was named does not exist in this deployment
├── NotOurs           a thing of the wanted name exists and belongs to somebody else
├── Locked            another command is at work on the deployment
├── Interrupted       this command gave way to another one
├── NotUp             nodes did not come into service; each is named with its reason
├── NoCapacity        AWS has no room for the nodes in any of the zones
├── UnderWay          another roll-out has not ended
├── DoesWorse         new nodes do worse than those before them
├── RolledBack        a roll-out was taken back
└── DnsError          a name that cannot be, or that resolvers do not agree on
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


class DeploymentError(FleetError):
    """The deployment file cannot be used."""


class NotThere(FleetError):
    """Something that was named does not exist in this deployment."""


class NotOurs(FleetError):
    """A thing of the wanted name exists and belongs to somebody else."""


class Locked(FleetError):
    """Another command is at work on the deployment."""


class Interrupted(FleetError):
    """This command gave way to another one."""


class NotUp(FleetError):
    """Nodes did not come into service."""


class NoCapacity(FleetError):
    """AWS has no room for the nodes in any of the zones."""


class UnderWay(FleetError):
    """Another roll-out has not ended."""


class DoesWorse(FleetError):
    """New nodes do worse than those before them."""


class RolledBack(FleetError):
    """A roll-out was taken back."""


class DnsError(FleetError):
    """A name that cannot be, or that resolvers do not agree on."""
