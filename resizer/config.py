"""The node's configuration: one TOML file, read at one door into a frozen value."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resizer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Above this Pillow's own guard against decompression bombs speaks up; ours has to come first.
PILLOW_MAX_PIXELS = 89_478_485
_RANGES = {
    "max_width": (1, 4096),
    "max_pixels": (1, PILLOW_MAX_PIXELS),
    "max_original_bytes": (1, 1 << 30),
    "quality": (1, 95),
    "max_age_seconds": (0, 31_536_000),
    "error_max_age_seconds": (0, 3600),
    "renders": (1, 256),
    "queue_seconds": (0, 60),
    "flight_seconds": (0, 60),
}
_PATHS = ("folder", "cache_dir")
_PREFIXES = ("prefix", "results_prefix")


def _cores() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Config:
    """Everything a node decides for itself; README.md explains each key. One of bucket and folder is set."""

    bucket: str | None = None
    folder: Path | None = None
    prefix: str = ""
    results_prefix: str = "resized"
    cache_dir: Path = Path("/var/cache/resizer")
    max_width: int = 4096
    max_pixels: int = 64_000_000
    max_original_bytes: int = 64 << 20
    quality: int = 80
    max_age_seconds: int = 86_400
    error_max_age_seconds: int = 5
    renders: int = field(default_factory=_cores)
    queue_seconds: int = 5
    flight_seconds: int = 20

    def original(self, key: str) -> str:
        """Return where the store keeps the original of `key`."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def result(self, path: str) -> str:
        """Return where the store keeps the result served at the URL path `path`."""
        return f"{self.results_prefix}/{path}"


def read(path: Path) -> Config:
    """Read the configuration file. Raises ConfigError naming the file, the key and what would be right."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: the configuration cannot be read: {error.strerror}.",
            "Create it with a bucket, or point RESIZER_CONFIG at another file.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: the configuration is not TOML: {error}.", "Correct the file at that place."
        ) from error
    return parse(document, str(path))


def parse(document: Mapping[str, Any], name: str) -> Config:
    """Make a Config of a parsed TOML document; `name` is what errors call it. Raises ConfigError."""
    known = [each.name for each in fields(Config)]
    for key in document:
        if key not in known:
            raise ConfigError(f"{name}: the key {key!r} is unknown.", f"Use one of: {', '.join(known)}.")
    config = Config(**{key: _value(key, value, name) for key, value in document.items()})
    _agree(config, name)
    return config


def _value(key: str, value: Any, name: str) -> Any:
    if key in _RANGES:
        low, high = _RANGES[key]
        right = type(value) is int and low <= value <= high  # a bool is an int, but no number to TOML
        return value if right else _reject(key, value, name, f"a whole number from {low} to {high}")
    if not isinstance(value, str):
        return _reject(key, value, name, "a string")
    if key in _PATHS:
        return Path(value) if value.startswith("/") else _reject(key, value, name, "an absolute path")
    if key in _PREFIXES:
        prefix = value.strip("/")
        sound = not prefix or all(part not in {"", ".", ".."} for part in prefix.split("/"))
        return prefix if sound else _reject(key, value, name, "names joined by single slashes")
    return value or _reject(key, value, name, "the name of a bucket")


def _reject(key: str, value: Any, name: str, right: str) -> Any:
    raise ConfigError(f"{name}: the key {key!r} is {value!r}; it must be {right}.", f"Write {right} there.")


def _agree(config: Config, name: str) -> None:
    if (config.bucket is None) == (config.folder is None):
        raise ConfigError(
            f"{name}: exactly one of the keys 'bucket' and 'folder' must be set.",
            "Name a bucket on a node, or a folder for development.",
        )
    if not config.results_prefix or f"{config.prefix}/".startswith(f"{config.results_prefix}/"):
        raise ConfigError(
            f"{name}: the key 'results_prefix' is {config.results_prefix!r}; it must not be empty,"
            f" nor hold the originals under {config.prefix!r}.",
            "Choose a results_prefix of its own, such as resized.",
        )
