"""What AWS's side of the cloud knows, kept on disk between runs of the daemon.

One file holds all of moto's backends, in one pickle because they refer to each other; bodies of S3 objects
lie beside it, a file each, so that saving does not write them again. The new is written before the old goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from localcloud import pickling

_FORMAT = 1
_SAVE_EVERY_SECONDS = 1.0
_NOT_PICKLED = (pickle.PicklingError, AttributeError, TypeError)

Backends = dict[str, Any]
"""Service -> account -> region -> moto's backend."""


class Unusable(Exception):
    """A file of state that this daemon cannot go on from, and why."""


class Gate:
    """Lets changes pass, and holds new ones back while the state is being read."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """For a request that changes something."""
        with self._condition:
            self._condition.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    @contextmanager
    def shut(self, *, patience_seconds: float) -> Iterator[None]:
        """For a reader: alone, or after its patience with a slow request beside it."""
        with self._condition:
            self._shut = True
            self._condition.wait_for(lambda: self._inside == 0, patience_seconds)
        try:
            yield
        finally:
            with self._condition:
                self._shut = False
                self._condition.notify_all()


class State:
    """Saves soon after `touch`, and at the end of `keeping`; `collect` gives what there is to save."""

    def __init__(
        self, folder: Path, body_kind: type, collect: Callable[[], Backends], notice: Callable[[str], None]
    ) -> None:
        self.gate = Gate()
        self._folder = folder
        self._collect = collect
        self._notice = notice
        self._bodies = pickling.Bodies(folder / "bodies", body_kind)
        self._touched = threading.Event()
        self._saving = threading.Lock()
        self._told: set[str] = set()

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self._folder / "cloud"

    def load(self) -> Backends:
        """What was saved, empty when nothing was. What cannot be used is moved aside, and told of."""
        try:
            return self._read()
        except FileNotFoundError:
            return {}
        except Unusable as why:
            aside = self._folder.with_name(f"{self._folder.name}.unusable-{secrets.token_hex(3)}")
            self._folder.rename(aside)
            self._notice(f"{why}; starting with the images alone, and what was kept is now in {aside}")
            return {}

    def touch(self) -> None:
        """Have the state saved soon."""
        self._touched.set()

    def save(self) -> bool:
        """Save now. Returns whether that worked; when not, what was saved before stays; told once."""
        self._touched.clear()
        try:
            with self._saving:
                self._write()
        except (OSError, RuntimeError) as why:  # RuntimeError: something changed while it was being read
            self._touched.set()
            self._tell(f"the cloud's state could not be saved, what was saved before stays: {why}")
            return False
        return True

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Save while the block runs, and once more at its end."""
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(_SAVE_EVERY_SECONDS):
                if self._touched.is_set():
                    self.save()

        saver = threading.Thread(target=follow, name="save-state", daemon=True)
        saver.start()
        try:
            yield
        finally:
            ended.set()
            saver.join()
            self.save()

    def _read(self) -> Backends:
        with self.file.open("rb") as file:
            first, content = file.readline(), file.read()
        try:
            header = dict(json.loads(first))
        except (ValueError, TypeError) as why:
            raise Unusable("the saved state is damaged") from why
        for name, ours in _versions().items():
            if header.get(name) != ours:
                raise Unusable(f"the saved state is of {name} {header.get(name)}, and this is {name} {ours}")
        if hashlib.sha256(content).hexdigest() != header.get("sha256"):
            raise Unusable("the saved state is damaged")
        try:
            return dict(pickling.load(content, self._bodies))
        except Exception as why:
            raise Unusable(f"the saved state cannot be read ({why!r})") from why

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.gate.shut(patience_seconds=1):
            content, bodies = self._pickled(self._collect())
        header = {**_versions(), "sha256": hashlib.sha256(content).hexdigest(), "saved": time.time()}
        draft = self.file.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.file)
        self._bodies.drop_all_but(bodies)

    def _pickled(self, backends: Backends) -> tuple[bytes, set[str]]:
        """One pickle of all, but for the services that cannot be pickled."""
        try:
            return pickling.dump(backends, self._bodies)
        except _NOT_PICKLED:
            fit = {name: backend for name, backend in backends.items() if self._fit(name, backend)}
            return pickling.dump(fit, self._bodies)

    def _fit(self, service: str, backend: Any) -> bool:
        try:
            pickling.dump(backend, self._bodies)
        except _NOT_PICKLED:
            self._tell(f"what {service} holds cannot be kept: it ends with this run of the local cloud")
            return False
        return True

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notice(text)


def _versions() -> dict[str, Any]:
    return {"format": _FORMAT, "moto": version("moto"), "Python": platform.python_version()}
