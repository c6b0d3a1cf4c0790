"""Files that a machine sees over its image while it runs here, and that no image of it ever holds."""

from __future__ import annotations

from pathlib import Path

from localcloud.site import METADATA_ADDRESS, Site

_RESOLV_CONF = Path("/etc/resolv.conf")
_UPSTREAM_RESOLV_CONF = Path("/run/systemd/resolve/resolv.conf")


def guest_files(site: Site) -> dict[str, str]:
    """Path in the machine -> content.

    cloud-init is told what a container cannot show it by hardware: that this is EC2, that the network is
    configured already, and not to wait for network cards being plugged in.
    """
    return {
        "etc/resolv.conf": f"nameserver {site.dns_address}\n",
        "etc/cloud/cloud.cfg.d/99-localcloud.cfg": (
            "datasource_list: [Ec2]\n"
            f'datasource: {{Ec2: {{metadata_urls: ["http://{METADATA_ADDRESS}"]}}}}\n'
            'updates: {network: {when: ["boot-new-instance"]}}\n'
            "network: {config: disabled}\n"
        ),
        # The one thing a node of a private endpoint must be told: where AWS is.
        "etc/systemd/system.conf.d/99-localcloud.conf": (
            f"[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL={site.endpoint_url_for_machines}\n"
        ),
        "etc/profile.d/99-localcloud.sh": f"export AWS_ENDPOINT_URL={site.endpoint_url_for_machines}\n",
        # Without it a command after `sudo` would look for AWS itself, and wait for minutes.
        "etc/sudoers.d/99-localcloud": 'Defaults env_keep += "AWS_ENDPOINT_URL"\n',
    }


def lay(files: dict[str, str], folder: Path) -> None:
    """Write the files below a folder that becomes a machine's topmost read-only layer."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The folder is laid over the image's own, which keeps this one to root.
        path.parent.chmod(0o750 if path.parent.name == "sudoers.d" else 0o755)
        path.write_text(content)
        path.chmod(0o644)


def host_nameservers() -> list[str]:
    """The name servers of this computer that a machine can reach too: not those on loopback."""
    for source in (_RESOLV_CONF, _UPSTREAM_RESOLV_CONF):
        if source.exists():
            servers = [line.split()[1] for line in source.read_text().splitlines() if _names_server(line)]
            reachable = [server for server in servers if not server.startswith(("127.", "::1"))]
            if reachable:
                return reachable
    return []


def _names_server(line: str) -> bool:
    return line.startswith("nameserver ") and len(line.split()) > 1
