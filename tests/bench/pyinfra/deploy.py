"""What bake/resizer.toml and the specs beneath it say, in pyinfra's own words.

Where pyinfra offers a slow way and a fast one, this takes the fast one, also where it promises less: a tree
or an environment travels as one archive, and is looked into only when that archive has changed.
"""

import io
import json
from pathlib import Path

from pyinfra import host
from pyinfra.facts.files import Directory
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, pip, server, systemd

told = json.loads(Path(host.data.told).read_text())
payload, templates, bootstrap = told["payload"], told["templates"], told["bootstrap"]
HELD = "/opt/amibake/held"

files.put(src=io.StringIO("#!/bin/sh\nexit 101\n"), dest="/usr/sbin/policy-rc.d", mode="755")
apt.update(cache_time=3600)
apt.dist_upgrade()
installed = apt.packages(
    packages=["apache2", "ca-certificates", "libapache2-mod-wsgi-py3", "logrotate", "python3-venv"],
    no_recommends=True,
)
account = {"home": "/var/lib/resizer", "shell": "/usr/sbin/nologin"}
server.user(user="resizer", system=True, ensure_home=False, **account)
for path, owner in (
    ("/opt/amibake/bootstrap", "root"),
    ("/opt/amibake/scripts", "root"),
    (f"{HELD}/bootstrap", "root"),
    (f"{HELD}/resizer", "root"),
    ("/opt/resizer/app/resizer", "root"),
    ("/opt/resizer/errors", "root"),
    ("/etc/amibake/templates", "root"),
    ("/var/cache/resizer", "resizer"),
    ("/var/lib/resizer/.aws", "root"),
    ("/etc/systemd/system/apache2.service.d", "root"),
):
    files.directory(path=path, user=owner, group=owner, mode="755")

for name, venv in (("bootstrap", "/opt/amibake/venv"), ("resizer", "/opt/resizer/venv")):
    wheels = files.put(src=f"{payload}/{name}-wheels.tar", dest=f"{HELD}/{name}-wheels.tar", mode="644")
    pip.venv(path=venv, python="python3")
    server.shell(commands=[f"tar -C {HELD}/{name} -xf {HELD}/{name}-wheels.tar"], _if=wheels.did_change)
    pip.packages(
        requirements=f"{HELD}/{name}/lock.txt",
        pip=f"{venv}/bin/pip",
        extra_install_args=(
            f"--no-index --no-deps --require-hashes --no-cache-dir --find-links {HELD}/{name}"
        ),
        _if=wheels.did_change,
    )

for name, tree, python in (
    ("errors", "/opt/resizer/errors", ""),
    ("bootstrap", "/opt/amibake/bootstrap", "/opt/amibake/venv/bin/python"),
    ("scripts", "/opt/amibake/scripts", ""),
    ("resizer", "/opt/resizer/app/resizer", "/opt/resizer/venv/bin/python"),
):
    archive = files.put(src=f"{payload}/{name}.tar", dest=f"{HELD}/{name}.tar", mode="644")
    server.shell(commands=[f"tar -C {tree} --no-same-owner -xf {HELD}/{name}.tar"], _if=archive.did_change)
    if python and not host.get_fact(Directory, path=f"{tree}/__pycache__"):
        server.shell(commands=[f"{python} -m compileall -q --invalidation-mode checked-hash {tree}"])

for src, dest, mode in (
    (f"{bootstrap}/node-bootstrap.service", "/etc/systemd/system/node-bootstrap.service", "644"),
    (f"{bootstrap}/node-decommission.service", "/etc/systemd/system/node-decommission.service", "644"),
    (f"{bootstrap}/node-metrics.service", "/etc/systemd/system/node-metrics.service", "644"),
    (f"{bootstrap}/node-metrics.timer", "/etc/systemd/system/node-metrics.timer", "644"),
    (f"{templates}/apache.conf", "/etc/apache2/conf-enabled/zz-amibake.conf", "644"),
    (f"{templates}/sshd.conf", "/etc/ssh/sshd_config.d/10-amibake.conf", "600"),
    (f"{templates}/resizer-aws-config", "/etc/amibake/templates/aws-config", "644"),
    (f"{templates}/resizer-sharing.conf", "/etc/amibake/templates/resizer-sharing.conf", "644"),
    (f"{templates}/resizer-render.service", "/etc/systemd/system/resizer-render.service", "644"),
    (f"{templates}/resizer-bootstrap.toml", "/etc/amibake/bootstrap.toml", "644"),
):
    files.put(src=src, dest=dest, mode=mode)

for src, dest in (
    ("resizer-node.toml.j2", "/etc/amibake/templates/resizer.toml"),
    ("resizer-site.conf.j2", "/etc/apache2/sites-available/resizer.conf"),
    ("resizer-tmpfiles.conf.j2", "/etc/tmpfiles.d/resizer.conf"),
    ("resizer-keeper.service.j2", "/etc/systemd/system/resizer-keeper.service"),
    ("resizer-apache.conf.j2", "/etc/apache2/conf-enabled/zz-resizer.conf"),
    ("resizer-apache.service.conf.j2", "/etc/systemd/system/apache2.service.d/resizer.conf"),
):
    files.template(src=f"{templates}/{src}", dest=dest, mode="644", **told["variables"])

settings = "".join(f"{key} = {value}\n" for key, value in told["sysctl"].items())
files.put(src=io.StringIO(settings), dest="/etc/sysctl.d/60-amibake.conf", mode="644")

for path, to in (
    ("/usr/local/bin/node-bootstrap", "/opt/amibake/bootstrap/node-bootstrap"),
    ("/etc/systemd/system/user@.service", "/dev/null"),
    ("/etc/apache2/mods-enabled/headers.load", "../mods-available/headers.load"),
    ("/etc/apache2/mods-enabled/rewrite.load", "../mods-available/rewrite.load"),
    ("/etc/apache2/mods-enabled/unique_id.load", "../mods-available/unique_id.load"),
    ("/etc/apache2/sites-enabled/resizer.conf", "../sites-available/resizer.conf"),
):
    files.link(path=path, target=to)

# Facts are gathered before anything is done, when there is no Apache yet.
server.shell(
    commands=[f"a2dismod --force --quiet {' '.join(told['idle_modules'])}"], _if=installed.did_change
)

files.link(path="/etc/apache2/sites-enabled/000-default.conf", present=False)
files.file(path="/var/www/html/index.html", present=False)

for unit, enabled in (
    ("node-bootstrap.service", True),
    ("node-decommission.service", True),
    ("resizer-render.service", True),
    ("resizer-keeper.service", True),
    ("apache2.service", True),
    ("apt-daily.timer", False),
    ("apt-daily-upgrade.timer", False),
):
    systemd.service(service=unit, running=None, enabled=enabled)

if " L " not in host.get_fact(Command, "passwd -S root"):
    server.shell(commands=["passwd -l root"])
