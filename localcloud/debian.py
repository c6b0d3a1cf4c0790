"""Debian's public images, built here from Debian's own packages, once, and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.errors import CommandFailed
from localcloud.images import ImageRecord

OWNER = "136693071363"  # Debian's account on AWS, https://wiki.debian.org/Cloud/AmazonEC2Image

# What Debian's image for EC2 brings and a machine here can use; no kernel, boot loader or driver.
_PACKAGES = (
    "systemd", "systemd-sysv", "libpam-systemd", "dbus", "udev", "openssh-server", "sudo", "python3",
    "cloud-init", "iproute2", "ca-certificates", "procps", "netbase", "iputils-ping", "less", "tzdata",
    "unattended-upgrades", "polkitd",
)  # fmt: skip

# As on Debian's own image: the user is `admin`, and the host's name resolves.
_CLOUD_CONFIG = """\
# As on Debian's image for EC2.
manage_etc_hosts: true
system_info:
  default_user:
    name: admin
"""

_FINISH = r"""
set -eu
cd "$1"
rm -f etc/ssh/ssh_host_*_key etc/ssh/ssh_host_*_key.pub etc/resolv.conf etc/hostname
rm -rf var/lib/apt/lists/* var/cache/apt/*.bin var/log/*.log var/log/apt
: > etc/machine-id
rm -f var/lib/dbus/machine-id
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' > etc/hosts
chroot . passwd --quiet --lock root
"""


@dataclass(frozen=True)
class Release:
    """A Debian release that is offered as a public image."""

    number: int
    suite: str

    @property
    def name(self) -> str:
        """Its short name, as in `debian-13`."""
        return f"debian-{self.number}"

    @property
    def parameter(self) -> str:
        """The SSM parameter under which Debian publishes the newest image's id."""
        return f"/aws/service/debian/release/{self.number}/latest/amd64"

    @property
    def recipe(self) -> str:
        """A digest of all that decides the image's content here."""
        decisive = json.dumps([asdict(self), _PACKAGES, _CLOUD_CONFIG, _FINISH])
        return hashlib.sha256(decisive.encode()).hexdigest()[:12]


RELEASES = (Release(12, "bookworm"), Release(13, "trixie"))


@dataclass(frozen=True)
class PublicImage:
    """A release's place in the cache: a record at once, a tree when first needed."""

    release: Release
    cache: Path

    @property
    def folder(self) -> Path:
        """Where record and tree are kept."""
        return self.cache / f"{self.release.name}-{self.release.recipe}"

    @property
    def tree(self) -> Path:
        """The image's files; there once the image is built."""
        return self.folder / "tree"

    def record(self) -> ImageRecord:
        """The image's record, made on first sight so that its id is the same from then on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "image.json"
        with _locked(self.folder):
            if not path.exists():
                path.write_text(json.dumps(asdict(self._new_record()), indent=1))
        return ImageRecord.read(path)

    def ensure_built(self, notice: Callable[[str], None]) -> None:
        """Build the tree if it is not there; several that need it at once wait for one to build it."""
        with _locked(self.folder):
            if not self.tree.exists():
                self._build(notice)

    def _new_record(self) -> ImageRecord:
        now = datetime.now(UTC)
        return ImageRecord(
            id=f"ami-{secrets.token_hex(8)}1",
            name=f"{self.release.name}-amd64-{now:%Y%m%d}-{now:%H%M}",
            owner=OWNER,
            created=now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            snapshot=f"snap-{secrets.token_hex(8)}1",
            layers=(str(self.tree),),
            description=f"Debian {self.release.number} (amd64), built on this computer",
            public=True,
            launch_permissions=({"Group": "all"},),
        )

    def _build(self, notice: Callable[[str], None]) -> None:
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        notice(f"building the public image {self.release.name} from Debian's packages (once, under a minute)")
        config = self.folder / "cloud.cfg"
        config.write_text(_CLOUD_CONFIG)
        finish = self.folder / "finish.sh"
        finish.write_text(_FINISH)
        _follow(self._argv(draft, config, finish), lambda said: notice(f"{self.release.name}: {said}"))
        draft.rename(self.tree)
        notice(f"{self.release.name} is built")

    def _argv(self, draft: Path, config: Path, finish: Path) -> list[str]:
        mirror, suite = "http://deb.debian.org/debian", self.release.suite
        return [
            "mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory",
            f"--include={','.join(_PACKAGES)}",
            '--aptopt=Acquire::Languages "none"',
            f"--customize-hook=copy-in {config} /tmp",
            '--customize-hook=mv "$1/tmp/cloud.cfg" "$1/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg"',
            f'--customize-hook=sh {finish} "$1"',
            suite, str(draft),
            f"deb {mirror} {suite} main",
            f"deb {mirror} {suite}-updates main",
            f"deb http://deb.debian.org/debian-security {suite}-security main",
        ]  # fmt: skip


def _follow(argv: list[str], notice: Callable[[str], None]) -> None:
    """Run mmdebstrap and pass on what it says it is doing; its last lines come with the error."""
    said: list[str] = []
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            said.append(line.strip())
            if line.startswith("I: ") and "hook" not in line:
                notice(line[3:].strip().rstrip("."))
    if process.returncode:
        raise CommandFailed(
            f"mmdebstrap ended with {process.returncode}: {' / '.join(said[-6:])}",
            "see whether deb.debian.org answers from here, and whether the disk is full",
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
