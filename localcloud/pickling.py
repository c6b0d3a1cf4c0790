"""Pickles of moto's backends: also what standard ones cannot hold, and S3 objects' bodies apart from them."""

from __future__ import annotations

import importlib
import io
import marshal
import pickle
import secrets
import types
import weakref
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Bodies:
    """A folder of files, one for each S3 object's content. `kind` is the class of such objects."""

    def __init__(self, folder: Path, kind: type) -> None:
        self.kind = kind
        self._folder = folder
        self._known: weakref.WeakKeyDictionary[Any, tuple[str, object]] = weakref.WeakKeyDictionary()

    def put(self, owner: Any) -> str:
        """The name of the file that holds an object's content, written now if it was not before."""
        name, version = self._known.get(owner, ("", None))
        if not name or version != owner.etag:
            name = secrets.token_hex(12)
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(owner.value)
            self._known[owner] = (name, owner.etag)
        return name

    def fill(self, owner: Any, name: str, state: dict[str, Any]) -> Any:
        """Give a new object its state and the content of its file."""
        owner.__setstate__({**state, "value": (self._folder / name).read_bytes()})
        self._known[owner] = (name, owner.etag)
        return owner

    def drop_all_but(self, names: set[str]) -> None:
        """Remove the files that no object has any more."""
        if self._folder.exists():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink()


def dump(thing: Any, bodies: Bodies) -> tuple[bytes, set[str]]:
    """A pickle, and the names of the bodies that belong to it. Raises what `pickle` raises."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, bodies)
    pickler.dump(thing)
    return buffer.getvalue(), pickler.used


def load(content: bytes, bodies: Bodies) -> Any:
    """What `dump` was given. The content must be our own: a pickle can run anything."""
    return _Unpickler(io.BytesIO(content), bodies).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, bodies: Bodies) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._bodies = bodies
        self.used: set[str] = set()

    def reducer_override(self, thing: Any) -> Any:
        """Pickle lambdas too, and dictionaries of defaults that are made with more than a default."""
        kind = type(thing)
        if kind is types.FunctionType and thing.__name__ == "<lambda>" and not thing.__closure__:
            return _function, (thing.__module__, marshal.dumps(thing.__code__))
        if kind is not defaultdict and isinstance(thing, defaultdict):
            state = (vars(thing), {"default_factory": thing.default_factory})
            return defaultdict.__new__, (kind,), state, None, iter(thing.items())
        if kind is self._bodies.kind and not thing.disposed:
            return _blank, (kind,), self._without_body(thing), None, None, _fill
        return NotImplemented

    def _without_body(self, thing: Any) -> tuple[str, dict[str, Any]]:
        name = self._bodies.put(thing)
        self.used.add(name)
        return name, {
            key: value for key, value in thing.__dict__.items() if key not in ("_value_buffer", "lock")
        }


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, bodies: Bodies) -> None:
        super().__init__(file)
        self._bodies = bodies

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (__name__, _fill.__name__):
            return lambda owner, state: self._bodies.fill(owner, *state)
        return super().find_class(module, name)


def _blank(kind: type) -> Any:
    return object.__new__(kind)


def _fill(*_: object) -> None:
    """Stands in a pickle for Bodies.fill, which only the reader can name."""
    raise pickle.UnpicklingError("read it with localcloud.pickling.load")


def _function(module: str, code: bytes) -> Callable[..., Any]:
    return types.FunctionType(
        marshal.loads(code),  # noqa: S302 (as trusted as the pickle it is in)
        vars(importlib.import_module(module)),
        "<lambda>",
    )
