"""The local cloud as a whole: images, identities that hold, one daemon, and nothing open to others."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cloud_fixture import traces

from aws.patience import Patience
from bake import image as images
from localcloud import control
from localcloud.site import Site

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance
    from bake.machine import Machine

pytestmark = pytest.mark.machines

METADATA = """
import sys, urllib.error, urllib.request as web
def ask(path, method="GET", **headers):
    request = web.Request("http://169.254.169.254/latest/" + path, method=method, headers=headers)
    try:
        answer = web.build_opener(web.ProxyHandler({})).open(request, timeout=3)
        return answer.read().decode()
    except urllib.error.HTTPError as why:
        return why.code
def token():
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    return {"X-aws-ec2-metadata-token": ask("api/token", "PUT", **life)}
"""


def _python(machine: Machine, code: str) -> str:
    ended = machine.run(f"python3 - <<'PYTHON'\n{METADATA}\n{code}\nPYTHON", timeout_seconds=30)
    assert ended.ok, ended.output
    return ended.stdout.strip()


# --- who a machine is ---


def test_metadata_takes_no_question_without_a_token(debian_machine: Machine) -> None:
    assert _python(debian_machine, "print(ask('meta-data/instance-id'))") == "401"


def test_a_machine_is_told_who_it_is(debian: Instance, debian_machine: Machine) -> None:
    said = _python(
        debian_machine,
        "t = token(); print(*(ask('meta-data/' + k, **t) for k in ('instance-id', 'local-ipv4')))",
    )
    assert said.split() == [debian.id, debian.address]


def test_a_machine_cannot_pass_for_another(desk: Desk, debian: Instance, debian_machine: Machine) -> None:
    """With a second machine's address as its own, and that address as the source of its question."""
    (victim,) = desk.launch()
    debian_machine.run(f"ip addr add {victim.address}/32 dev ens5")
    try:
        said = _python(
            debian_machine,
            f"""
import socket
with socket.socket() as s:
    s.settimeout(3)
    s.bind(("{victim.address}", 0))
    try:
        s.connect(("169.254.169.254", 80))
        print("answered")
    except OSError as why:
        print("refused", type(why).__name__)
""",
        )
        assert said == "refused TimeoutError"
        assert _python(debian_machine, "print(ask('meta-data/instance-id', **token()))") == debian.id
    finally:
        debian_machine.run(f"ip addr del {victim.address}/32 dev ens5")
        desk.terminate(victim)


def test_a_token_opens_only_the_metadata_of_the_machine_it_was_given_to(
    desk: Desk, debian_machine: Machine
) -> None:
    (other,) = desk.launch()
    with desk.machine(other) as machine:
        token = _python(machine, "print(token()['X-aws-ec2-metadata-token'])")
    stolen = f"print(ask('meta-data/instance-id', **{{'X-aws-ec2-metadata-token': '{token}'}}))"
    assert _python(debian_machine, stolen) == "401"
    desk.terminate(other)


# --- images of machines ---


def _image(desk: Desk, instance: Instance, name: str, *, reboot: bool) -> str:
    made = desk.cloud.ec2.create_image(
        InstanceId=instance.id,
        Name=name,
        NoReboot=not reboot,
        TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "made", "Value": name}]}],
    )
    return images.wait_available(desk.cloud, made["ImageId"], Patience(0.1, 60)).id


@pytest.mark.parametrize("reboot", [True, False], ids=["rebooting", "running on"])
def test_an_image_holds_the_machines_files(desk: Desk, reboot: bool) -> None:
    (source,) = desk.launch()
    with desk.machine(source) as machine:
        machine.run(
            "echo imaged > /srv/imaged; rm /etc/motd; cat /proc/sys/kernel/random/boot_id > /srv/boot; sync"
        )
    image_id = _image(desk, source, f"imaged-{reboot}", reboot=reboot)
    desk.wait_for(source.id, "running")
    with desk.machine(source) as machine:
        went_on = machine.run("diff /proc/sys/kernel/random/boot_id /srv/boot").ok
    assert went_on is not reboot
    (fresh,) = desk.launch(image_id)
    with desk.machine(fresh) as machine:
        assert machine.run("cat /srv/imaged").stdout == "imaged\n"
        assert machine.run("test ! -e /etc/motd").ok
    desk.terminate(source, fresh)
    desk.cloud.ec2.deregister_image(ImageId=image_id)


def test_a_machine_that_cannot_boot_is_terminated_with_a_reason_and_its_console(desk: Desk) -> None:
    (source,) = desk.launch()
    with desk.machine(source) as machine:
        machine.run("rm -f /sbin/init /usr/lib/systemd/systemd; ln -s /nowhere /sbin/init; sync")
    broken = _image(desk, source, "broken", reboot=False)
    (instance_id,) = desk.ask(broken)
    ended = desk.wait_for(instance_id, "terminated")
    assert ended["StateReason"]["Code"] == "Server.InternalError"
    assert desk.cloud.ec2.get_console_output(InstanceId=instance_id)["Output"].strip()
    desk.terminate(source)
    desk.cloud.ec2.deregister_image(ImageId=broken)


# --- the daemon ---


def test_nothing_of_the_daemon_listens_beyond_this_computer(desk: Desk) -> None:
    pid = desk.site.pid_file.read_text()
    listed = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True, check=True).stdout
    local = [line.split()[4] for line in listed.splitlines() if f"pid={pid}," in line]
    assert local == [f"127.0.0.1:{desk.site.port}"]


def _beside(desk: Desk) -> str:
    """A name for a second cloud that no other run of the tests uses."""
    return desk.site.name.replace("amitest", "amitwo")


def _home_beside(desk: Desk) -> Path:
    home = desk.site.home / "other"
    home.mkdir(exist_ok=True)
    return home


def test_a_second_daemon_of_the_same_site_is_refused(desk: Desk) -> None:
    said = _daemon(desk.site)
    assert said.startswith("this local cloud runs already")
    assert "invoke local.status" in said
    assert control.status(desk.site)["running"]


def test_a_port_in_use_is_one_clear_error_and_leaves_nothing(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        network = IPv4Network((int(desk.site.network.network_address) + (20 << 16), 16))
        other = Site(_beside(desk), _home_beside(desk), network=network, port=port)
        said = _daemon(other)
    assert said.startswith(f"port {port} of 127.0.0.1 is in use")
    assert "LOCALCLOUD_PORT" in said
    assert traces(other) == []


def test_a_network_in_use_is_one_clear_error_and_leaves_nothing(desk: Desk) -> None:
    other = dataclasses.replace(
        desk.site, name=_beside(desk), home=_home_beside(desk), port=desk.site.port + 20
    )
    said = _daemon(other)
    assert f"overlaps the local cloud's {desk.site.network}" in said
    assert "LOCALCLOUD_NETWORK" in said
    assert traces(other) == []


def _daemon(site: Site) -> str:
    """Start a daemon that cannot run; what it says."""
    environment = {**os.environ, **control._site_environment(site)}
    argv = [control.sys.executable, "-m", "localcloud.daemon"]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr
