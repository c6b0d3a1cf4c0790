"""A site and all that follows from it: addresses, interfaces, rules, control groups, files of guests."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from localcloud import cgroups, guestfiles, needs
from localcloud.cgroups import unified_mount
from localcloud.errors import (
    AddressConflict,
    CommandFailed,
    LocalCloudError,
    MissingPackages,
    NotPossibleHere,
)
from localcloud.guestfiles import guest_files, lay
from localcloud.hostsettings import HostSetting
from localcloud.network import Network, Port
from localcloud.site import Site, site_from_environment

SITE = Site("here", Path("/srv/here"), network=IPv4Network("10.50.0.0/16"), port=8050)


def test_machines_have_the_lower_half_of_the_network() -> None:
    assert SITE.machines == IPv4Network("10.50.0.0/17")
    assert SITE.gateway == IPv4Address("10.50.0.1")


def test_the_link_to_the_desk_is_a_network_of_its_own_outside_of_the_machines() -> None:
    assert {str(SITE.desk_address), str(SITE.vpc_address)} == {"10.50.255.249", "10.50.255.250"}
    link = IPv4Network(f"{SITE.desk_address}/30", strict=False)
    assert SITE.vpc_address in link
    assert not link.overlaps(SITE.machines)


def test_the_endpoint_is_loopback_for_the_desk_and_the_gateway_for_machines() -> None:
    assert SITE.endpoint_url == "http://127.0.0.1:8050"
    assert SITE.endpoint_url_for_machines == "http://10.50.0.1:8050"
    assert SITE.environment["AWS_ENDPOINT_URL"] == SITE.endpoint_url


def test_a_site_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"NAME": "here", "HOME": "/srv/here", "NETWORK": "10.50.0.0/16", "PORT": "8050"}
    for name, value in wanted.items():
        monkeypatch.setenv(f"LOCALCLOUD_{name}", value)
    monkeypatch.delenv("LOCALCLOUD_CACHE", raising=False)
    assert site_from_environment() == SITE


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOCALCLOUD_NETWORK", "ten", "is not usable: .*'ten'"),
        ("LOCALCLOUD_NETWORK", "10.50.0.1/16", "has host bits set"),
        ("LOCALCLOUD_NETWORK", "10.50.0.0/24", "cannot be made"),
        ("LOCALCLOUD_PORT", "http", "is not usable"),
        ("LOCALCLOUD_PORT", "70000", "is not usable"),
        ("LOCALCLOUD_PORT", "0", "is not usable"),
        ("LOCALCLOUD_NAME", "much-too-long", "named 'much-too-long'"),
        ("LOCALCLOUD_NAME", "a b", "named 'a b'"),
        ("LOCALCLOUD_NAME", "", "named ''"),
        ("LOCALCLOUD_HOME", "/" + "long/" * 12, "too long for the sockets"),
    ],
)
def test_an_environment_that_describes_no_site_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(LocalCloudError, match=said) as caught:
        site_from_environment()
    assert caught.value.hint


# --- the network ---


def test_names_of_interfaces_fit_what_linux_takes() -> None:
    longest = Network(Site(name="ninechars"))
    assert len(longest.uplink) <= 15
    assert len(Port("i-0123456789abcdef0", IPv4Address("10.50.1.2"), "02:00:00:00:00:01").outer) <= 15


def test_two_machines_have_two_interfaces() -> None:
    ports = {Port(f"i-{n}", IPv4Address("10.50.1.2"), "").outer for n in range(50)}
    assert len(ports) == 50


def test_what_leaves_is_translated_except_on_its_way_to_the_desk() -> None:
    rules = Network(SITE)._translation()
    assert "table ip here {" in rules
    assert 'ip saddr 10.50.0.0/17 oifname != "here-up" masquerade' in rules


class Programs:
    """Stands for the host's programs: keeps what was asked, answers or fails as told."""

    def __init__(self, answers: dict[str, str] | None = None, failing: str = "") -> None:
        self.asked: list[str] = []
        self._answers = answers or {}
        self._failing = failing

    def __call__(self, argv: list[str], *, stdin: str | None = None) -> str:
        line = " ".join(argv)
        self.asked.append(line)
        if self._failing and self._failing in line:
            raise CommandFailed(f"`{line}` ended with 1")
        return self._answers.get(line, "")


def test_a_machine_may_speak_from_the_address_of_its_port_only(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs()
    monkeypatch.setattr("localcloud.network.run", programs)
    port = Port("i-1", IPv4Address("10.50.1.2"), "02:00:00:00:00:01")
    Network(SITE).plug(port)
    assert programs.asked[-1].endswith(f'nft add element inet guard owners {{ "{port.outer}" . 10.50.1.2 }}')


def test_only_namespaces_of_the_site_go_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = "here-vpc (id: 1)\nhere-i-1\nheretoo-vpc\nother\n"
    programs = Programs({"ip netns list": listed})
    monkeypatch.setattr("localcloud.network.run", programs)
    Network(Site("here", tmp_path)).down()
    deleted = [line.split()[-1] for line in programs.asked if line.startswith("ip netns delete")]
    assert deleted == ["here-vpc", "here-i-1"]


def test_a_network_that_the_computer_routes_already_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = "default via 192.0.2.1 dev eth0\n10.50.3.0/24 dev wg0 scope link\n"
    monkeypatch.setattr("localcloud.network.run", Programs({"ip -4 route show": routes}))
    with pytest.raises(
        AddressConflict, match=r"10\.50\.3\.0/24, which overlaps .* 10\.50\.0\.0/16"
    ) as caught:
        Network(SITE)._refuse_conflicts()
    assert "LOCALCLOUD_NETWORK" in caught.value.hint


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    """A setting of the computer, which is off."""
    path = tmp_path / "ip_forward"
    path.write_text("0\n")
    return path


def setting(switch: Path, least: int = 1) -> HostSetting:
    return HostSetting(switch.name, least, root=switch.parent, ledger=switch.parent / "run")


def test_a_setting_of_the_computer_is_put_back_as_it_was(switch: Path) -> None:
    raised, site = setting(switch), Site("here", switch.parent)
    raised.enforce(site)
    raised.enforce(site)
    assert switch.read_text() == "1"
    raised.restore(site)
    assert switch.read_text() == "0"


def test_a_setting_stays_raised_for_the_clouds_that_still_run(switch: Path) -> None:
    raised, first, second = setting(switch), Site("first", switch.parent), Site("second", switch.parent)
    raised.enforce(first)
    raised.enforce(second)
    raised.restore(first)
    assert switch.read_text() == "1"
    raised.restore(second)
    assert switch.read_text() == "0"


def test_a_setting_that_suffices_is_left_alone(switch: Path) -> None:
    switch.write_text("4096\n")
    raised, site = setting(switch, 1024), Site("here", switch.parent)
    raised.enforce(site)
    raised.restore(site)
    assert switch.read_text() == "4096\n"


# --- control groups ---


def test_the_unified_hierarchy_is_found_alone_or_beside_the_old_one() -> None:
    alone = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
    both = "tmpfs /sys/fs/cgroup tmpfs ro 0 0\nnone /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert unified_mount(alone) == Path("/sys/fs/cgroup")
    assert unified_mount(both) == Path("/sys/fs/cgroup/unified")


def test_without_a_unified_hierarchy_the_error_says_how_to_mount_it() -> None:
    with pytest.raises(NotPossibleHere) as caught:
        unified_mount("cgroup /sys/fs/cgroup/memory cgroup rw 0 0\n")
    assert caught.value.hint.startswith("mount it: mount -t cgroup2")


def test_a_control_group_that_is_not_there_is_killed_already(tmp_path: Path) -> None:
    cgroups.ControlGroup(tmp_path / "none").kill()
    assert not (tmp_path / "none").exists()


# --- files that a guest sees ---


def _resolvers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, upstream: str | None) -> None:
    (tmp_path / "own").write_text(own)
    if upstream is not None:
        (tmp_path / "upstream").write_text(upstream)
    monkeypatch.setattr(guestfiles, "_RESOLV_CONF", tmp_path / "own")
    monkeypatch.setattr(guestfiles, "_UPSTREAM_RESOLV_CONF", tmp_path / "upstream")


@pytest.mark.parametrize(
    ("own", "upstream", "servers"),
    [
        ("nameserver 192.0.2.53\n", None, ["192.0.2.53"]),
        ("# a comment\nsearch x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n", None, ["192.0.2.1"]),
        (
            "nameserver 127.0.0.53\n",
            "nameserver 192.0.2.2\nnameserver 192.0.2.3\n",
            ["192.0.2.2", "192.0.2.3"],
        ),
        ("nameserver ::1\n", None, []),
        ("nameserver\n", None, []),
    ],
)
def test_only_name_servers_that_the_vpc_can_reach_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, upstream: str | None, servers: list[str]
) -> None:
    _resolvers(monkeypatch, tmp_path, own, upstream)
    assert guestfiles.host_nameservers() == servers


def test_a_guest_is_told_where_aws_is_and_who_answers_names(tmp_path: Path) -> None:
    lay(guest_files(SITE), tmp_path)
    assert (tmp_path / "etc/resolv.conf").read_text() == "nameserver 10.50.0.2\n"
    assert (
        "AWS_ENDPOINT_URL=http://10.50.0.1:8050" in (tmp_path / "etc/profile.d/99-localcloud.sh").read_text()
    )
    assert (tmp_path / "etc/resolv.conf").stat().st_mode & 0o777 == 0o644
    assert "AWS_ENDPOINT_URL" in (tmp_path / "etc/sudoers.d/99-localcloud").read_text()
    assert (tmp_path / "etc/sudoers.d").stat().st_mode & 0o777 == 0o750


# --- what this computer must have ---


@pytest.mark.parametrize(
    ("platform", "uid", "said"),
    [("darwin", 501, "on Linux only, and this is darwin"), ("linux", 1000, "only root may do that")],
)
def test_where_no_machine_can_run_one_sentence_says_what_works(platform: str, uid: int, said: str) -> None:
    with pytest.raises(NotPossibleHere, match=said) as caught:
        needs.refuse_where_impossible(platform, uid, has_apt=True)
    assert "\n" not in str(caught.value)
    assert "`--cloud aws` works here" in caught.value.hint


def test_without_apt_get_the_programs_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "missing", lambda: needs.NEEDS[:2])
    with pytest.raises(
        NotPossibleHere, match="systemd-nspawn, mmdebstrap not found, and there is no apt-get"
    ):
        needs.refuse_where_impossible("linux", 0, has_apt=False)


def test_without_apt_get_but_with_all_programs_machines_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "missing", lambda: ())
    needs.refuse_where_impossible("linux", 0, has_apt=False)


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "missing", lambda *_: needs.NEEDS[:1])
    monkeypatch.setattr(needs, "refuse_where_impossible", lambda *_, **__: None)


def test_packages_that_are_not_to_be_installed_are_listed_in_a_command(lacking: None) -> None:
    said: list[str] = []
    with pytest.raises(MissingPackages, match="1 Debian packages") as caught:
        needs.ensure(said.append, install=False)
    assert said == ["needs systemd-container, which runs the machines"]
    assert caught.value.hint.endswith("apt-get install --yes --no-install-recommends systemd-container")


def test_what_is_wanted_beside_is_known_by_its_program_or_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there, absent = tmp_path / "there.so", tmp_path / "absent.so"
    there.touch()
    wanted = [needs.Need(path.stem, str(path), "serves") for path in (there, absent)]
    monkeypatch.setattr(needs.shutil, "which", lambda *_, **__: "/usr/bin/it")
    assert [need.package for need in needs.missing(wanted)] == ["absent"]


def test_packages_are_installed_from_fresh_lists(lacking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs()
    monkeypatch.setattr(needs, "run", programs)
    needs.ensure(lambda _: None)
    assert programs.asked[0] == "apt-get update"
    assert programs.asked[1].endswith("systemd-container")


def test_an_installation_that_fails_says_how_to_do_it_by_hand(
    lacking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "run", Programs(failing="systemd-container"))
    with pytest.raises(MissingPackages) as caught:
        needs.ensure(lambda _: None)
    assert caught.value.hint.startswith("run it by hand: apt-get install")


def test_a_package_s_service_is_kept_off_this_computer_once(tmp_path: Path) -> None:
    assert needs.mask("named.service", tmp_path)
    assert (tmp_path / "named.service").readlink() == Path("/dev/null")
    assert not needs.mask("named.service", tmp_path)
    (tmp_path / "own.service").write_text("[Service]")
    assert not needs.mask("own.service", tmp_path)
    assert not needs.mask("x.service", tmp_path / "no systemd here")
