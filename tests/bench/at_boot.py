"""What a bake puts on a machine, put there at its first boot instead: by a shell script, or by Ansible.

The archive and the lists are made of the spec's own steps, so that all end with the same node.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from aws.userdata import INPUTS_FILE
from bake.steps.absent import Absent
from bake.steps.command import Command
from bake.steps.file import File
from bake.steps.folder import Folder
from bake.steps.link import Link
from bake.steps.packages import Packages
from bake.steps.sysctl import Sysctl
from bake.steps.tree import Tree
from bake.steps.unit import Unit
from bake.steps.user import User
from bake.steps.venv import Venv
from bench.ours import steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bake.steps import Step

_FETCH = (
    "import shutil, sys, urllib.request\n"
    "shutil.copyfileobj(urllib.request.urlopen(sys.argv[1]), sys.stdout.buffer)"
)
# At the next boot all this would be so by itself; the boot list starts the services.
_LAST = """systemd-tmpfiles --create resizer.conf
systemctl stop apache2
systemctl start --no-block node-bootstrap
"""


def lay_out(spec: Path, folder: Path) -> dict[str, Any]:
    """Have in a folder what either way fetches: archive, lists, playbook. Returns the lists."""
    folder.mkdir()
    steps = [one for one in steps_of(spec) if getattr(one, "path", "") != "/usr/sbin/policy-rc.d"]
    with tarfile.open(folder / "node.tar", "w") as tar:
        for step in steps:
            _pack(tar, step)
    told = _lists(steps)
    (folder / "told.json").write_text(json.dumps(told))
    shutil.copy(Path(__file__).parent / "ansible" / "at-boot.yml", folder)
    return told


def by_shell(told: Mapping[str, Any], url: str, inputs: Mapping[str, str]) -> str:
    """User data that does it all in one script."""
    pip = "-q --disable-pip-version-check --no-cache-dir --no-index --no-deps --require-hashes"
    lines = [
        *_begin(inputs),
        "apt-get -q update && apt-get -qy dist-upgrade",
        f"apt-get -qy install --no-install-recommends {' '.join(told['packages'])}",
        f"python3 -c {quote(_FETCH)} {url}/node.tar | tar -C / -xf -",
    ]
    for one in told["venvs"]:
        lines += [
            f"python3 -m venv {one['path']}",
            f"{one['path']}/bin/pip install {pip} --find-links {one['held']} -r {one['held']}/lock.txt",
        ]
    lines += [
        f"useradd --system --no-create-home --home-dir {one['home']} --shell /usr/sbin/nologin {one['name']}"
        for one in told["users"]
    ]
    lines += [f"install -d -o {one['owner']} -g {one['owner']} {one['path']}" for one in told["folders"]]
    lines += [f"rm -f {' '.join(told['absent'])}", *told["commands"], "systemctl daemon-reload"]
    lines += [
        f"systemctl enable {' '.join(told['enabled'])}",
        f"systemctl disable {' '.join(told['disabled'])}",
    ]
    return "\n".join([*lines, _LAST])


def by_ansible(url: str, inputs: Mapping[str, str]) -> str:
    """User data that installs Ansible and has it do the same on the node itself, as ansible-pull would."""
    fetch = [
        f"python3 -c {quote(_FETCH)} {url}/{name} > /root/{name}" for name in ("at-boot.yml", "told.json")
    ]
    run = f"ansible-playbook -c local -i localhost, -e @/root/told.json -e url={url} /root/at-boot.yml"
    lines = [
        *_begin(inputs),
        "apt-get -q update",
        "apt-get -qy install --no-install-recommends ansible-core python3-apt",
        *fetch,
        f"LC_ALL=C.UTF-8 HOME=/root {run}",
    ]
    return "\n".join([*lines, _LAST])


def _begin(inputs: Mapping[str, str]) -> list[str]:
    return [
        "#!/bin/bash",
        "set -eux",
        "export DEBIAN_FRONTEND=noninteractive",
        f"install -D -m 0600 /dev/stdin {INPUTS_FILE} <<< {quote(json.dumps(dict(inputs)))}",
    ]


def _lists(steps: Sequence[Step]) -> dict[str, Any]:
    units = [one for one in steps if isinstance(one, Unit)]
    return {
        "packages": [name for one in steps if isinstance(one, Packages) for name in one.names],
        "venvs": [{"path": one.path, "held": f"/{_held(one)}"} for one in steps if isinstance(one, Venv)],
        "users": [{"name": one.name, "home": one.home} for one in steps if isinstance(one, User)],
        "folders": [{"path": one.path, "owner": one.owner} for one in steps if isinstance(one, Folder)],
        "absent": [one.path for one in steps if isinstance(one, Absent)],
        "commands": [one.command for one in steps if isinstance(one, Command)],
        "enabled": [one.name for one in units if one.enabled],
        "disabled": [one.name for one in units if not one.enabled],
    }


def _pack(tar: tarfile.TarFile, step: Step) -> None:
    """Put into the archive what a step has of files, wheels and links."""
    if isinstance(step, File):
        _add(tar, step.path, step.content, step.mode)
    elif isinstance(step, Tree):
        for one in step.files:
            _add(tar, f"{step.path}/{one.path}", one.content, one.mode)
    elif isinstance(step, Sysctl):
        text = "".join(f"{name} = {value}\n" for name, value in step.settings)
        _add(tar, f"/etc/sysctl.d/{step.name}.conf", text.encode(), 0o644)
    elif isinstance(step, Venv):
        for wheel in sorted(step.wheels(step.lock, step.target).glob("*.whl")):
            tar.add(wheel, f"{_held(step)}/{wheel.name}")
        _add(tar, f"{_held(step)}/lock.txt", step.lock.text.encode(), 0o644)
    elif isinstance(step, Link):
        link = tarfile.TarInfo(step.path.lstrip("/"))
        link.type, link.linkname = tarfile.SYMTYPE, step.to
        tar.addfile(link)


def _held(step: Venv) -> str:
    return f"opt/held/{step.lock.name.removesuffix('.txt')}"


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
