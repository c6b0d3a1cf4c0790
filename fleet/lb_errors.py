"""What can go wrong with load balancers.

FleetError
├── LoadBalancerWrong      settings that this type of load balancer does not take
├── NoLoadBalancer         none of that name, or more than one
├── NotOurBalancer         it was made by somebody else, and is theirs to change
├── NotInService           nodes did not come into service within the time their health check implies
└── StillDraining          nodes are not out of the load balancer within the time that draining may take
"""

from __future__ import annotations

from fleet.errors import FleetError


class LoadBalancerWrong(FleetError):
    """Settings that this type of load balancer does not take."""


class NoLoadBalancer(FleetError):
    """None of that name, or more than one."""


class NotOurBalancer(FleetError):
    """It was made by somebody else, and is theirs to change."""


class NotInService(FleetError):
    """Nodes did not come into service within the time their health check implies."""


class StillDraining(FleetError):
    """Nodes are not out of the load balancer within the time that draining may take."""
