"""The image catalogue: every image and snapshot there is, kept on disk and mirrored into moto."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from localcloud.debian import RELEASES, PublicImage
from localcloud.errors import LocalCloudError
from localcloud.images import TIME, ImageRecord, replace
from localcloud.imagestore import ImageStore
from localcloud.site import ACCOUNT, Site
from localcloud.snapshots import SnapshotRecord

_Record = TypeVar("_Record", bound=ImageRecord | SnapshotRecord)

_INTERRUPTED = "the local cloud ended while it was being made"


class Machines(Protocol):
    """What making images asks of the instances."""

    def capture(self, record: Any, layer: Path, *, reboot: bool) -> tuple[Path, ...]:
        """Make a layer of an instance's disk and return the layers of an image of it."""

    def layers_in_use(self) -> Iterable[Path]:
        """The layers that machines stand on."""


class Catalog:
    """Every image and snapshot: Debian's public ones and the site's own.

    Calls of the API and threads that make images meet here: whoever reads and then writes holds `lock`.
    """

    def __init__(
        self,
        site: Site,
        notice: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.site = site
        self.notice = notice
        self.clock = clock
        self.store = ImageStore(site)
        self.lock = threading.RLock()
        self.images: dict[str, ImageRecord] = {}
        self.snapshots: dict[str, SnapshotRecord] = {}
        self.deregistered: set[str] = set()
        self._public: dict[str, PublicImage] = {}
        for release in RELEASES:
            image = PublicImage(release, site.cache)
            self._public[image.record().id] = image

    def layers_of(self, image_id: str) -> tuple[Path, ...]:
        """The layers of an image, newest first; a public image is built when it is first asked for.

        Raises LocalCloudError for an image that is not made of a machine's files.
        """
        image = self.images.get(image_id)
        if image is None or image.state != "available" or not self.bootable(image):
            raise LocalCloudError(f"the image {image_id} has no files here")
        return self.files_of(self.snapshots[image.snapshot])

    def files_of(self, snapshot: SnapshotRecord) -> tuple[Path, ...]:
        """The layers of a snapshot, newest first; the public image below is built if it is not yet."""
        for public in self._public.values():
            if str(public.tree) in snapshot.layers:
                public.ensure_built(self.notice)
        return tuple(Path(layer) for layer in snapshot.layers)

    def bootable(self, image: ImageRecord) -> bool:
        """Whether an image stands on a machine's files, so that machines can stand on it."""
        snapshot = self.snapshots.get(image.snapshot)
        return snapshot is not None and bool(snapshot.layers)

    def load(self) -> None:
        """Give moto every image there is, and the SSM parameters that name the newest public ones."""
        for public in self._public.values():
            record = replace(public.record(), region=self.site.region)
            self._take(record)
            _publish_parameter(self.site, public.release.parameter, record.id)
        for snapshot in self.store.snapshots():
            self._take(_after_interruption(snapshot, self.now()))
        for image in self.store.images():
            self._take(
                image
                if image.state != "pending"
                else replace(image, state="failed", state_reason=_INTERRUPTED)
            )
        for region in {record.region for record in self.images.values()}:
            _forget_all_but(self.backend(region), {*self.images, *self.snapshots})

    def save(self) -> None:
        """Keep on disk what moto's own calls have changed: tags, and with whom snapshots are shared."""
        from localcloud.ami import shared

        with self.lock:
            for image in list(self.images.values()):
                if (tags := self.tags_of(image)) != image.tags:
                    self.keep(replace(image, tags=tags))
            for snapshot in list(self.snapshots.values()):
                users, groups = shared(self.backend(snapshot.region), snapshot.id)
                now = replace(snapshot, tags=self.tags_of(snapshot), shared_users=users, shared_groups=groups)
                if now != snapshot:
                    self.keep(now)

    def keep(self, record: _Record, *, new: bool = False) -> _Record:
        """Keep a record as it is now; a new one brings its tags."""
        with self.lock:
            if new:
                self.backend(record.region).create_tags([record.id], record.tags)
            self._take(record, load_tags=False)
            if record.owner == ACCOUNT:
                self.store.write(record)
        return record

    def change(self, record_id: str, **changes: Any) -> None:
        """Change some of a record's fields; one that has gone meanwhile stays gone."""
        with self.lock:
            if record_id in self.images:
                self.keep(replace(self.images[record_id], **changes))
            elif record_id in self.snapshots:
                self.keep(replace(self.snapshots[record_id], **changes))

    def forget(self, record: ImageRecord | SnapshotRecord) -> None:
        """Forget an image or a snapshot."""
        from localcloud.ami import unmirror

        with self.lock:
            self.images.pop(record.id, None)
            self.snapshots.pop(record.id, None)
            self.store.remove(record.id)
            unmirror(self.backend(record.region), record.id)

    def tags_of(self, record: ImageRecord | SnapshotRecord) -> dict[str, str]:
        """A record's tags as calls have left them."""
        return dict(self.backend(record.region).tags.get(record.id, {}))

    def users_of(self, snapshot_id: str) -> list[str]:
        """The images that need a snapshot."""
        return [image.id for image in self.images.values() if snapshot_id in image.snapshots]

    def backend(self, region: str) -> Any:
        """Moto's EC2 of a region."""
        from moto.ec2.models import ec2_backends

        return ec2_backends[ACCOUNT][region]

    def now(self) -> str:
        """The time, as records have it."""
        return self.clock().strftime(TIME)

    def _take(self, record: ImageRecord | SnapshotRecord, *, load_tags: bool = True) -> None:
        from localcloud.ami import mirror

        if isinstance(record, ImageRecord):
            if record.snapshot not in self.snapshots and record.snapshot:
                self._take(SnapshotRecord.of_image(record))
            self.images[record.id] = record
        else:
            self.snapshots[record.id] = record
        backend = self.backend(record.region)
        mirror(backend, record)
        if load_tags and record.tags:
            backend.tags[record.id] = dict(record.tags)


def new_id(kind: str) -> str:
    """A new id: `ami` or `snap`, and 17 hexadecimal digits as on EC2."""
    return f"{kind}-0{secrets.token_hex(8)}"


def _after_interruption(snapshot: SnapshotRecord, now: str) -> SnapshotRecord:
    """A snapshot as it is after the daemon has ended; blocks that were put are still there."""
    if snapshot.state != "pending" or not snapshot.sealed:
        return snapshot
    if snapshot.disks or snapshot.layers:
        return replace(snapshot, state="completed", completed=now)
    return replace(snapshot, state="error", state_message=_INTERRUPTED)


def _forget_all_but(backend: Any, known: set[str]) -> None:
    """Drop what moto remembers of images and snapshots that have no record any more."""
    from localcloud.ami import unmirror

    for record_id in {*backend.amis, *backend.snapshots} - known:
        unmirror(backend, record_id)


def _publish_parameter(site: Site, name: str, image_id: str) -> None:
    """Seed a public parameter; PutParameter refuses names below /aws, on AWS as in moto."""
    from moto.ssm.models import Parameter, ssm_backends

    parameter = Parameter(
        account_id=ACCOUNT, name=name, value=image_id, parameter_type="String", description=None,
        allowed_pattern=None, keyid=None, last_modified_date=datetime.now(UTC), version=1,
        data_type="aws:ec2:image",
    )  # fmt: skip
    ssm_backends[ACCOUNT][site.region]._parameters[name].append(parameter)
