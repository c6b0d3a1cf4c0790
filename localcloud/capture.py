"""Making snapshots of machines while calls go on: each in a thread of its own."""

from __future__ import annotations

import threading
from typing import Any

from localcloud.catalog import Catalog, Machines
from localcloud.errors import LocalCloudError


class Capture:
    """Turns a machine's disk into a layer, and a pending snapshot and image into finished ones."""

    def __init__(self, catalog: Catalog, machines: Machines) -> None:
        self._catalog = catalog
        self._machines = machines

    def begin(self, instance: Any, snapshot_id: str, image_id: str = "", *, reboot: bool) -> None:
        """Complete a pending snapshot with the files of an instance, and the image that needs it."""
        threading.Thread(
            target=self._capture, args=(instance, snapshot_id, image_id, reboot), daemon=True
        ).start()

    def finish_soon(self, image_id: str) -> None:
        """Make an image available for which everything is there but a public image's files, perhaps."""
        threading.Thread(target=self._finish, args=(image_id,), daemon=True).start()

    def _capture(self, instance: Any, snapshot_id: str, image_id: str, reboot: bool) -> None:  # noqa: FBT001
        catalog = self._catalog
        with catalog.store.new_layer() as layer:
            try:
                layers = self._machines.capture(instance, layer, reboot=reboot)
            except (LocalCloudError, OSError, KeyError) as why:
                catalog.notice(f"{image_id or snapshot_id} could not be made of {instance.id}: {why}")
                catalog.change(snapshot_id, state="error", state_message=str(why))
                catalog.change(image_id, state="failed", state_reason=str(why))
                return
            catalog.change(
                snapshot_id, layers=tuple(map(str, layers)), state="completed", completed=catalog.now()
            )
            catalog.change(image_id, state="available")

    def _finish(self, image_id: str) -> None:
        image = self._catalog.images[image_id]
        try:
            self._catalog.files_of(self._catalog.snapshots[image.snapshot])
        except (LocalCloudError, OSError) as why:
            self._catalog.change(image_id, state="failed", state_reason=str(why))
        else:
            self._catalog.change(image_id, state="available")
