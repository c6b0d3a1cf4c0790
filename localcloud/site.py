"""Where a local cloud lives: its name, folders, network and port. All of it derived from a few values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from localcloud.errors import LocalCloudError

ACCOUNT = "123456789012"
METADATA_ADDRESS = IPv4Address("169.254.169.254")
# The kernel takes 107 characters for a socket; `load-balancers/lb-0123456789/stats.4194304.tmp` needs 47.
_LONGEST_HOME = 60


@dataclass(frozen=True)
class Site:
    """One local cloud. Two sites with different names, homes, networks and ports do not meet.

    `network` is a /16: its lower half holds the machines (the VPC's subnets), its upper half the
    link between this computer and the VPC. Without `bodies`, instances are records with no machine.
    """

    name: str = "amibake"
    home: Path = Path("/var/lib/amibake")
    cache: Path = Path("/var/cache/amibake")
    network: IPv4Network = field(default_factory=lambda: IPv4Network("10.117.0.0/16"))
    port: int = 8117
    region: str = "us-east-1"
    bodies: bool = True

    @property
    def machines(self) -> IPv4Network:
        """The half of the network that machines share: one link, no router between them."""
        return next(self.network.subnets(prefixlen_diff=1))

    @property
    def gateway(self) -> IPv4Address:
        """The VPC's router, as machines see it."""
        return self.machines[1]

    @property
    def dns_address(self) -> IPv4Address:
        """The VPC's name server: its network's address plus two, as on AWS."""
        return self.network[2]

    @property
    def desk_address(self) -> IPv4Address:
        """This computer's end of the link into the VPC: what machines see as the caller."""
        return self.network[-7]

    @property
    def vpc_address(self) -> IPv4Address:
        """The VPC's end of that link."""
        return self.network[-6]

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint, seen from this computer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoint_url_for_machines(self) -> str:
        """The AWS endpoint, seen from a machine."""
        return f"http://{self.gateway}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What aims boto3 and the aws command line at this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    @property
    def pid_file(self) -> Path:
        """Holds the daemon's process id while it runs."""
        return self.home / "daemon.pid"

    @property
    def state(self) -> Path:
        """The folder of what AWS's side knows, kept between runs."""
        return self.home / "state"

    @property
    def notices(self) -> Path:
        """What the daemon is doing, a line each, for people who wait."""
        return self.home / "notices.log"


def site_from_environment() -> Site:
    """The site that LOCALCLOUD_NAME, _HOME, _CACHE, _NETWORK, _PORT and _BODIES describe."""
    default = Site()
    get = os.environ.get
    try:
        network = IPv4Network(get("LOCALCLOUD_NETWORK", str(default.network)))
        port = _port(get("LOCALCLOUD_PORT", str(default.port)))
    except ValueError as why:
        raise LocalCloudError(
            f"LOCALCLOUD_NETWORK or LOCALCLOUD_PORT is not usable: {why}",
            "give a /16 such as 10.117.0.0/16 and a port such as 8117, or unset them",
        ) from why
    name = get("LOCALCLOUD_NAME", default.name)
    if network.prefixlen != 16 or not (name.isalnum() and len(name) <= 9):
        raise LocalCloudError(
            f"a local cloud named {name!r} on {network} cannot be made",
            "LOCALCLOUD_NAME has at most 9 letters and digits, LOCALCLOUD_NETWORK is a /16",
        )
    home = get("LOCALCLOUD_HOME", str(default.home))
    if len(os.fsencode(home)) > _LONGEST_HOME:
        raise LocalCloudError(
            f"LOCALCLOUD_HOME is too long for the sockets in it: {home}",
            f"choose a folder of at most {_LONGEST_HOME} characters",
        )
    return Site(
        name=name,
        home=Path(home).absolute(),
        cache=Path(get("LOCALCLOUD_CACHE", str(default.cache))).absolute(),
        network=network,
        port=port,
        bodies=_bodies(get("LOCALCLOUD_BODIES", "machines")),
    )


def _bodies(text: str) -> bool:
    if text not in ("machines", "none"):
        raise LocalCloudError(
            f"LOCALCLOUD_BODIES={text} is not known", "it is `machines`, or `none` for records alone"
        )
    return text == "machines"


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port")
    return port
