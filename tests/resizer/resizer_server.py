"""A whole node on this computer: a real Apache with mod_wsgi and the site's own template, real renderers.

Everything lies in one temporary directory, listens on 127.0.0.1, and is ended by its process id.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Self

from bake.render import render

PRODUCT = Path(__file__).parents[2]
TEMPLATES = PRODUCT / "bake" / "templates"
MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    "mpm_event", "authn_core", "authz_core", "authz_host", "headers", "reqtimeout", "rewrite", "setenvif",
    "status", "unique_id", "wsgi",
)  # fmt: skip
SIGNING_KEY = "known to these tests"
PATIENCE_SECONDS = 30
USER, GROUP = "nobody", "nogroup"
# The Python that Debian's mod_wsgi is linked with, and what this one has installed; users other than root may
# run it wherever this one lies.
PYTHON = "/usr/bin/python3"
PACKAGES = next(each for each in sys.path if each.endswith("site-packages"))
_HEAD = """
ServerRoot {root}
ServerName localhost
PidFile {root}/apache.pid
Listen 127.0.0.1:{port}
ErrorLog {root}/error.log
User {user}
Group {group}
"""


@dataclass(frozen=True)
class Answer:
    """Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """The node's files below `root`, and its processes."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    defines: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("originals", "cache", "run", "run/locks", "run/metrics"):
            path = self.root / name
            path.mkdir(parents=True, exist_ok=True)
            shutil.chown(path, USER, GROUP)
        for parent in (self.root, *self.root.parents[:3]):
            with contextlib.suppress(OSError):
                parent.chmod(parent.stat().st_mode | 0o011)
        self._configure()
        try:
            self.start_renderers()
            self.start("apache", ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(self.root / "apache.conf")])
            self.until(lambda: self.get("/health").status == 200, "the node is healthy")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self.running)):
            self.stop(name)

    def start_renderers(self) -> None:
        """Start the render service, and wait for its socket."""
        self.start("render", [PYTHON, "-m", "resizer.service", str(self.socket)], user=USER, group=GROUP)
        self.until(self._answers, "the renderers listen")

    def start(self, name: str, argv: list[str], **how: Any) -> None:
        """Start one of the node's programs."""
        with (self.root / f"{name}.out").open("ab") as out:
            environ = {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{PRODUCT}:{PACKAGES}",
                "RESIZER_CONFIG": str(self.config),
                "PROMETHEUS_MULTIPROC_DIR": str(self.root / "run/metrics"),
                "APACHE_LOG_DIR": str(self.root),
                **self.environment,
            }
            self.running[name] = subprocess.Popen(argv, stdout=out, stderr=out, env=environ, cwd="/", **how)

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End it, and wait."""
        process = self.running.pop(name)
        process.send_signal(number)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask, with the path just as it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def said(self, request: bytes) -> Answer:
        """Send these very bytes, and hear what is answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            return self.said_over(connection, request)

    @staticmethod
    def said_over(connection: socket.socket, request: bytes) -> Answer:
        """The same, over a connection that is there."""
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())

    def upload(self, key: str, data: bytes, modified: int = 1_700_000_000) -> None:
        """Put an original into the folder store."""
        path = self.root / "originals" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (modified, modified))
        for each in (path, *path.parents):
            if each == self.root:
                break
            shutil.chown(each, USER, GROUP)

    def renderers(self) -> list[int]:
        """Return the process ids of the children of the render service."""
        parent = self.running["render"].pid
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        return [int(each) for each in listed.split()]

    def fetch(self) -> int:
        """Return the process id of the daemon that runs the application."""
        parent = self.running["apache"].pid
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        titles = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in listed}
        (found,) = (one for one, title in titles.items() if b"(wsgi:fetch)" in title)
        return found

    def files(self) -> list[Path]:
        """Return the files of the cache that Apache could serve."""
        return sorted(path for path in (self.root / "cache").glob("??/??/*") if path.is_file())

    def log(self, name: str) -> str:
        """Return what one of the node's files says."""
        return (self.root / name).read_text(errors="replace")

    @staticmethod
    def until(true: Any, what: str) -> None:
        """Wait until `true()`."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if true():
                    return
            time.sleep(0.02)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain until {what}")

    @property
    def socket(self) -> Path:
        """Where the renderers listen."""
        return self.root / "run" / "render.sock"

    @property
    def config(self) -> Path:
        """The resizer's configuration."""
        return self.root / "resizer.toml"

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
        return True

    def _configure(self) -> None:
        settings = {
            **({} if "bucket" in self.settings else {"folder": f'"{self.root}/originals"'}),
            "cache_dir": f'"{self.root}/cache"',
            "run_dir": f'"{self.root}/run"',
            "signing_keys": f'["{SIGNING_KEY}"]',
            "unsigned": "true",
            **self.settings,
        }
        self.config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        head = _HEAD.format(root=self.root, port=self.port, user=USER, group=GROUP)
        loads = "".join(f"LoadModule {each}_module {MODULES}/mod_{each}.so\n" for each in LOADED)
        defines = "".join(f'Define {name} "{value}"\n' for name, value in self.defines.items())
        parts = [head, loads, defines, (TEMPLATES / "apache.conf").read_text(), *self._site()]
        (self.root / "apache.conf").write_text("\n".join(parts))

    def _site(self) -> list[str]:
        variables = {
            "cache_dir": str(self.root / "cache"),
            "fetch_processes": "1", "fetch_threads": "40", "fetch_backlog": "50", "apache_threads": "128",
            "immutable": "signed versioned",
            "max_age_seconds": "86400",
            **self.variables,
        }  # fmt: skip
        site = render(TEMPLATES / "resizer-site.conf.j2", variables)
        site = re.sub(r"python-home=\S+", f"python-path={PRODUCT}:{PACKAGES}", site)
        for old, new in (
            ("python-path=/opt/resizer/app ", ""), ("home=/var/lib/resizer", "home=/"),
            ("user=resizer group=resizer", f"user={USER} group={GROUP}"),
            ("/opt/resizer/app", str(PRODUCT)), ("/opt/resizer/errors", str(TEMPLATES / "errors")),
            ("*:80", "*"),
            ("request-timeout=60", f"request-timeout=60 socket-user={USER}"),
        ):  # fmt: skip
            site = site.replace(old, new)
        sockets = f"WSGISocketPrefix {self.root}/wsgi\n"
        return [render(TEMPLATES / "resizer-apache.conf.j2", variables), sockets, site]
