"""The VPC: a network namespace that routes between one guarded link per machine, as EC2's network does.

Machines believe that they share a link; in truth each has its own, and the VPC answers their ARP for all the
others. So every packet is routed here, and the kernel's connection tracking sees it: that is what makes
security groups stateful (on a bridge it would take CONFIG_NF_CONNTRACK_BRIDGE, which few kernels have).
Everything but the host's end of the link lives inside the namespace, so taking the VPC down is deleting it.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from localcloud.errors import AddressConflict, CommandFailed
from localcloud.hostsettings import SETTINGS
from localcloud.process import run
from localcloud.site import METADATA_ADDRESS, Site

PORTS = "m-*"
"""The VPC's ends of the machines' links, as nftables matches them."""

# A machine may speak only from its own address: this is what makes the source address a proof of identity
# for the metadata service. It may speak IPv4 and ARP alone, and ARP reaches nobody but the VPC.
_GUARD = f"""
table inet guard {{
    set owners {{ type ifname . ipv4_addr; }}
    chain prerouting {{
        type filter hook prerouting priority raw; policy accept;
        iifname "{PORTS}" iifname . ip saddr != @owners drop
        iifname "{PORTS}" meta nfproto != ipv4 drop
    }}
}}
"""

_ROUTER_SETTINGS = ("net.ipv4.ip_forward=1", "net.ipv4.conf.default.rp_filter=1")


@dataclass(frozen=True)
class Port:
    """A machine's place on the network."""

    machine: str
    address: IPv4Address
    mac: str

    @property
    def outer(self) -> str:
        """The VPC's end of the machine's link, at most 15 characters as Linux wants it."""
        return f"m-{hashlib.sha256(self.machine.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Network:
    """The network of one site."""

    site: Site

    @property
    def vpc(self) -> str:
        """The name of the VPC's namespace."""
        return f"{self.site.name}-vpc"

    @property
    def uplink(self) -> str:
        """The host's end of the link into the VPC."""
        return f"{self.site.name}-up"

    def namespace(self, machine: str) -> str:
        """The name of a machine's namespace."""
        return f"{self.site.name}-{machine}"

    def up(self) -> None:
        """Make the VPC anew. Raises AddressConflict when the host uses its addresses already."""
        self.down()
        self._refuse_conflicts()
        vpc, site = self.vpc, self.site
        run(["ip", "netns", "add", vpc])
        run(["ip", "link", "add", self.uplink, "type", "veth", "peer", "name", "uplink", "netns", vpc])
        run(["ip", "-batch", "-"], stdin=_lines(
            f"addr add {site.desk_address}/30 dev {self.uplink}",
            f"link set {self.uplink} up",
            f"route add {site.machines} via {site.vpc_address}",
        ))  # fmt: skip
        run(["ip", "-n", vpc, "-batch", "-"], stdin=_lines(
            "link set lo up",
            f"addr add {site.vpc_address}/30 dev uplink",
            "link set uplink up",
            f"route add default via {site.desk_address}",
            "link add vpc type bridge",
            f"addr add {site.gateway}/32 dev vpc",
            f"addr add {site.dns_address}/32 dev vpc",
            f"addr add {METADATA_ADDRESS}/32 dev vpc",
            "link set vpc up",
            f"route add blackhole {site.machines}",
        ))  # fmt: skip
        self._set_in_vpc(*_ROUTER_SETTINGS)
        self.filter(_GUARD)
        run(["nft", "-f", "-"], stdin=self._translation())
        for setting in SETTINGS:
            setting.enforce(self.site)

    def down(self) -> None:
        """Remove every trace of the network, whatever of it exists."""
        for namespace in self._namespaces():
            _delete_namespace(namespace)
        with suppress(CommandFailed):
            run(["ip", "link", "delete", self.uplink])
        with suppress(CommandFailed):
            run(["nft", "delete", "table", "ip", self.site.name])
        for setting in SETTINGS:
            setting.restore(self.site)

    def plug(self, port: Port) -> None:
        """Make a machine's namespace with its interface `ens5`, connected and guarded."""
        namespace, vpc = self.namespace(port.machine), self.vpc
        self.unplug(port)
        run(["ip", "netns", "add", namespace])
        run(["ip", "-n", vpc, "link", "add", port.outer, "type", "veth", "peer", "name", "ens5",
             "address", port.mac, "netns", namespace])  # fmt: skip
        self._set_in_vpc(
            f"net.ipv4.conf.{port.outer}.proxy_arp=1", f"net.ipv4.neigh.{port.outer}.proxy_delay=0"
        )
        run(["ip", "-n", vpc, "-batch", "-"], stdin=_lines(
            f"link set {port.outer} up",
            f"route add {port.address}/32 dev {port.outer}",
        ))  # fmt: skip
        run(["ip", "-n", namespace, "-batch", "-"], stdin=_lines(
            "link set lo up",
            f"addr add {port.address}/{self.site.machines.prefixlen} dev ens5",
            "link set ens5 up",
            f"route add default via {self.site.gateway}",
        ))  # fmt: skip
        self._guard("add", port)

    def unplug(self, port: Port) -> None:
        """Remove a machine's namespace and interface, if they are there."""
        with suppress(CommandFailed):
            self._guard("delete", port)
        with suppress(CommandFailed):
            run(["ip", "-n", self.vpc, "link", "delete", port.outer])
        if self.namespace(port.machine) in self._namespaces():
            _delete_namespace(self.namespace(port.machine))

    def filter(self, rules: str) -> None:
        """Load rules into the VPC, all at once or not at all."""
        run(["ip", "netns", "exec", self.vpc, "nft", "-f", "-"], stdin=rules)

    def _guard(self, verb: str, port: Port) -> None:
        element = f'{verb} element inet guard owners {{ "{port.outer}" . {port.address} }}'
        run(["ip", "netns", "exec", self.vpc, "nft", element])

    def _set_in_vpc(self, *settings: str) -> None:
        run(["ip", "netns", "exec", self.vpc, "sysctl", "-qw", *settings])

    def _namespaces(self) -> list[str]:
        names = [line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.strip()]
        return [name for name in names if name.startswith(f"{self.site.name}-")]

    def _translation(self) -> str:
        """Outgoing traffic of machines leaves with the host's address, as through an internet gateway."""
        return f"""
        table ip {self.site.name} {{
            chain leave {{
                type nat hook postrouting priority srcnat;
                ip saddr {self.site.machines} oifname != "{self.uplink}" masquerade
            }}
        }}
        """

    def _refuse_conflicts(self) -> None:
        for line in run(["ip", "-4", "route", "show"]).splitlines():
            destination = line.split()[0]
            if destination == "default":
                continue
            with suppress(ValueError):
                if IPv4Network(destination).overlaps(self.site.network):
                    raise AddressConflict(
                        f"this computer already routes {destination}, which overlaps the local cloud's"
                        f" {self.site.network}",
                        "choose another: export LOCALCLOUD_NETWORK=10.118.0.0/16",
                    )


def _delete_namespace(name: str, *, attempts: int = 20) -> None:
    """Delete a namespace; its file can be busy for a moment while a machine's mounts are still going away."""
    for attempt in range(attempts):
        try:
            run(["ip", "netns", "delete", name])
        except CommandFailed:
            if attempt == attempts - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _lines(*commands: str) -> str:
    return "\n".join(commands) + "\n"
