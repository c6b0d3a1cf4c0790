"""What a daemon leaves that did not end well, and how it goes. Loads nothing of the daemon's own."""

from __future__ import annotations

import shutil

from localcloud.cgroups import ControlGroup
from localcloud.network import Network
from localcloud.site import Site


def clean_up(site: Site) -> None:
    """End processes and network of a site that does not run. Machines' disks stay."""
    if not site.bodies:
        return
    ControlGroup.of(site).kill()
    Network(site).down()
    for folder in ("load-balancers", "dns"):
        shutil.rmtree(site.home / folder, ignore_errors=True)
