"""What a bake must not leave behind. `Old` is what was last changed before this boot: it came with the image.

Age is the inode's change time: unlike the modification time, no download and no archive can set it.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

# systemd reads its clock a moment after the first files of a boot may have been touched
SLACK = timedelta(seconds=2)
TEMPORARY = re.compile(r"systemd-private-.*|\.(X11|ICE|XIM|font)-unix|snap-private-tmp")
HISTORIES = (
    ".*_history",
    ".*history",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
    ".python_history",
    "known_hosts*",
)
PIP_CONFIGURATIONS = ("pip.conf", ".pip", ".pypirc", ".netrc")


def old_files(host: Any, booted_at: datetime, *places: str) -> list[str]:
    """Name the files with content in `places` that came with the image; absent places hold none."""
    moment = (booted_at - SLACK).isoformat()
    words = " ".join("%s" for _ in places)
    found = host.run(f"find {words} -xdev -type f -size +0 ! -newerct %s", *places, moment)
    return sorted(found.stdout.splitlines())


def homes(host: Any) -> list[str]:
    lines = host.check_output("getent passwd").splitlines()
    return sorted({home for line in lines if (home := line.split(":")[5]).strip("/")})


def test_nobody_but_the_launch_key_is_authorized(host: Any, launch_key: str) -> None:
    places = [
        f"{home}/.ssh/{name}" for home in homes(host) for name in ("authorized_keys", "authorized_keys2")
    ]
    found = host.run("grep -hvE '^\\s*(#|$)' " + " ".join("%s" for _ in places), *places)
    lines = found.stdout.splitlines()
    assert lines, "nobody at all is authorized"
    assert [line for line in lines if launch_key not in line.split()] == []


def test_root_is_locked(host: Any) -> None:
    assert host.check_output("passwd --status root").split()[1] == "L"


@pytest.mark.parametrize("name", HISTORIES)
def test_no_home_holds_a_history(host: Any, name: str) -> None:
    assert host.run("find /root /home -xdev -name %s", name).stdout == ""


def test_no_package_lists_or_archives_came_with_the_image(host: Any, booted_at: datetime) -> None:
    assert old_files(host, booted_at, "/var/lib/apt/lists", "/var/cache/apt") == []


def test_no_log_came_with_the_image(host: Any, booted_at: datetime) -> None:
    assert old_files(host, booted_at, "/var/log") == []


def test_cloud_inits_log_begins_with_this_boot(host: Any, booted_at: datetime) -> None:
    first = host.check_output("head -n 1 /var/log/cloud-init.log").split(",")[0]
    assert datetime.fromisoformat(f"{first}+00:00") >= booted_at - SLACK


def test_the_journal_holds_this_boot_only(host: Any) -> None:
    boots = host.check_output("journalctl --list-boots --no-pager --quiet").splitlines()
    assert [line.split()[0] for line in boots] == ["0"]


def test_no_other_machines_journal_is_kept(host: Any) -> None:
    kept = host.run("ls -A /var/log/journal").stdout.split()
    assert set(kept) <= {host.check_output("cat /etc/machine-id")}


def test_cloud_init_knows_this_instance_only(host: Any, instance_id: str) -> None:
    assert host.check_output("ls -A /var/lib/cloud/instances").split() == [instance_id]


@pytest.mark.parametrize("place", ["/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/NetworkManager"])
def test_no_lease_came_with_the_image(host: Any, booted_at: datetime, place: str) -> None:
    assert [path for path in old_files(host, booted_at, place) if "lease" in path] == []


@pytest.mark.parametrize("name", ["random-seed", "credential.secret"])
def test_no_secret_of_the_builder_came_with_the_image(host: Any, booted_at: datetime, name: str) -> None:
    assert old_files(host, booted_at, f"/var/lib/systemd/{name}") == []


def test_services_may_start(host: Any) -> None:
    assert not host.file("/usr/sbin/policy-rc.d").exists


def test_apt_knows_no_proxy(host: Any) -> None:
    settings = host.check_output("apt-config dump").splitlines()
    assert [line for line in settings if re.match(r"Acquire::.*Proxy", line, re.IGNORECASE)] == []


def test_apt_knows_debians_own_sources_only(host: Any) -> None:
    found = host.run(
        "grep -rhoE '(https?|ftp)://[^/ ]+' /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/mirrors"
    )
    names = {line.split("//")[1] for line in found.stdout.splitlines()}
    assert names, "apt has no source at all"
    assert [name for name in names if not name.endswith(".debian.org")] == []


def test_no_proxy_is_in_anybodys_environment(host: Any) -> None:
    places = "/etc/environment /etc/profile /etc/profile.d /etc/default /etc/apache2/envvars /etc/systemd"
    assert host.run(f"grep -rIilE '^[^#]*(http|https|all|no)_proxy' {places}").stdout == ""
    assert "_proxy=" not in host.check_output("systemctl show-environment").lower()


@pytest.mark.parametrize("name", PIP_CONFIGURATIONS)
def test_pip_is_configured_nowhere(host: Any, name: str) -> None:
    assert host.run("find /etc /root /home /opt /var/www -xdev -name %s", name).stdout == ""


def test_the_resolver_is_told_addresses(host: Any) -> None:
    lines = host.file("/etc/resolv.conf").content_string.splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    assert servers
    assert all(ipaddress.ip_address(each) for each in servers)


def test_no_aws_key_lies_about(host: Any) -> None:
    keys = host.run("grep -rIoE '\\b(AKIA|ASIA)[A-Z0-9]{16}\\b' /etc /root /home /opt /var/lib").stdout
    # botocore's own documentation holds keys that end in EXAMPLE, as AWS writes them
    assert [line for line in keys.splitlines() if not line.endswith("EXAMPLE")] == []


def test_no_private_key_lies_about_but_the_nodes_own(host: Any) -> None:
    begin = "^-----BEGIN [A-Z ]*PRIVATE KEY-----"
    found = host.run("grep -rIlE -e %s /etc /root /home /opt /var/lib", begin).stdout.splitlines()
    assert [path for path in found if not path.startswith("/etc/ssh/ssh_host_")] == []


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp"])  # noqa: S108 - their emptiness is the question
def test_temporary_places_are_empty(host: Any, place: str) -> None:
    entries = host.check_output("ls -A %s", place).split()
    assert [name for name in entries if not TEMPORARY.fullmatch(name)] == []


def test_the_host_keys_were_made_by_this_boot(host: Any, booted_at: datetime) -> None:
    keys = host.check_output("ls /etc/ssh/").split()
    assert [name for name in keys if re.fullmatch(r"ssh_host_\w+_key", name)]
    assert [path for path in old_files(host, booted_at, "/etc/ssh") if "/ssh_host_" in path] == []


def test_the_machine_id_was_made_by_this_boot(host: Any, booted_at: datetime) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", host.check_output("cat /etc/machine-id"))
    assert old_files(host, booted_at, "/etc/machine-id") == []


def test_no_two_nodes_share_a_machine_id(nodes: list[Any]) -> None:
    ids = [node.check_output("cat /etc/machine-id") for node in nodes]
    assert len(set(ids)) == len(nodes)


def test_no_two_nodes_share_a_host_key(nodes: list[Any]) -> None:
    keys = [
        line.split()[1]
        for node in nodes
        for line in node.check_output("cat /etc/ssh/ssh_host_*_key.pub").splitlines()
    ]
    assert len(set(keys)) == len(keys)


def test_no_two_nodes_share_an_instance_id(nodes: list[Any]) -> None:
    ids = [node.check_output("cat /var/lib/cloud/data/instance-id") for node in nodes]
    assert len(set(ids)) == len(nodes)
