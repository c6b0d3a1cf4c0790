"""Apaches that serve one file and nothing else, on the node itself: what a hit is held against.

`DEBIAN` is what `apt-get install apache2` gives and what administrators leave as it is: Debian's modules, its
numbers of threads, its default site and the combined log. `BARE` has no log and no module that a file can do
without: nobody runs such a server, but Apache cannot do less. Both keep connections as long as the node does.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stand import Stand

_FOLDER = "/var/www/html"
_KEPT = "ServerName localhost\nKeepAliveTimeout 75\nMaxKeepAliveRequests 0\n"
_MODULES = (
    "access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex deflate"
    " dir env filter mime mpm_event negotiation reqtimeout setenvif status"
)


@dataclass(frozen=True)
class Apache:
    """A name for its process and files, its port, and a script that makes its settings of the node's."""

    name: str
    port: int
    script: str

    @property
    def start(self) -> str:
        """A script that starts it, under a name of its own: so its CPU time is told from the node's."""
        return (
            f"set -e; rm -rf /etc/{self.name}; cp -a /etc/apache2 /etc/{self.name}; cd /etc/{self.name}\n"
            f"{self.script}"
            f"cp -f /usr/sbin/apache2 /usr/sbin/{self.name}; mkdir -p /run/{self.name} /var/log/{self.name}\n"
            "set -a; . /etc/apache2/envvars\n"
            f"APACHE_PID_FILE=/run/{self.name}.pid; APACHE_RUN_DIR=/run/{self.name}\n"
            f"APACHE_LOG_DIR=/var/log/{self.name}\n"
            f"{self.name} -d /etc/{self.name} -f apache2.conf\n"
        )

    @property
    def stop(self) -> str:
        """A script that ends it, and waits until it has gone."""
        return (
            f"kill $(cat /run/{self.name}.pid)\n"
            f"for i in $(seq 100); do pgrep -x {self.name} || exit 0; sleep 0.1; done; exit 1\n"
        )


DEBIAN = Apache(
    "adebian",
    82,
    f"""rm -f mods-enabled/* sites-enabled/*; find conf-enabled -type f -delete
for module in {_MODULES}; do for kind in load conf; do
    [ ! -e mods-available/$module.$kind ] || ln -s ../mods-available/$module.$kind mods-enabled/
done; done
sed 's/:80>/:82>/' sites-available/000-default.conf > sites-enabled/000-default.conf
echo 'Listen 82' > ports.conf
cat > conf-enabled/zz-kept.conf <<'END'
{_KEPT}END
""",
)
BARE = Apache(
    "abare",
    81,
    f"""cat > apache2.conf <<'END'
{_KEPT}Listen 81
PidFile /run/abare.pid
ErrorLog /var/log/abare/error.log
Include mods-available/mpm_event.load
Include mods-available/mpm_event.conf
Include mods-available/authz_core.load
Include mods-available/mime.load
Include mods-available/mime.conf
User www-data
Group www-data
EnableSendfile On
DocumentRoot {_FOLDER}
<Directory {_FOLDER}>
    Require all granted
    AllowOverride None
    Options None
</Directory>
END
""",
)


@contextmanager
def running(apache: Apache, stand: Stand, file: bytes) -> Iterator[str]:
    """One of them with this file, for a block. Yields its URL. Raises BenchError if it does not start."""
    with stand.machine() as machine:
        machine.put(file, "/tmp/small.jpg")  # noqa: S108 - on a node that is ours alone
        started = machine.run(
            f"install -D -m 644 /tmp/small.jpg {_FOLDER}/small.jpg\n{apache.start}", timeout_seconds=60
        )
        if started.exit_code:
            raise BenchError(f"{apache.name} does not start: {started.output[-500:]}")
        try:
            yield f"{stand.url}:{apache.port}/small.jpg"
        finally:
            machine.run(apache.stop, timeout_seconds=60)
