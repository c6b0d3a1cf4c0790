"""What acts of its own accord, put together: Auto Scaling."""

from __future__ import annotations

from typing import Any

from localcloud import scaling_install
from localcloud.loop import Work
from localcloud.roster import Roster
from localcloud.scaling import Scaling
from localcloud.site import ACCOUNT, Site


def install(site: Site, instances: Roster) -> list[Work]:
    """Hook it all into moto. Returns what is to be done in turn."""
    from moto.autoscaling.models import autoscaling_backends

    def groups() -> list[Any]:
        return [autoscaling_backends[ACCOUNT][site.region]]

    scaling = Scaling(groups, instances.record)
    scaling_install.install(scaling, instances.record)
    return [scaling.tick]
