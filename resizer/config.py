"""The node's configuration: one TOML file, read at one door into a frozen value."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from resizer import presets as presets_of
from resizer.address import Rules
from resizer.errors import ConfigError
from resizer.setting import Kind, flag, pairs, path, prefix, text, texts, whole
from resizer.signature import MIN_KEY_BYTES
from resizer.spelling import MAX_SIDE, Bounds

# Above this Pillow's own guard against decompression bombs speaks up; ours has to come first.
PILLOW_MAX_PIXELS = 89_478_485
FORMATS = ("jpeg", "png", "webp", "avif", "gif", "tiff", "bmp")
YEAR_SECONDS = 31_536_000
_APART = "it must not be empty, nor hold the originals under {!r}."


def _cores() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Config:
    """Everything a node decides for itself, with what each takes and means. Bucket or folder is set."""

    bucket: Annotated[
        str | None,
        text("the name of a bucket"),
        "the S3 bucket; region, endpoint and credentials come from boto3's ordinary chain",
    ] = None
    folder: Annotated[Path | None, path(), "instead of a bucket, for development"] = None
    prefix: Annotated[str, prefix(), "where in the store the originals are"] = ""
    results_prefix: Annotated[
        str, prefix(), "where in the store results, masters and purges go; no URL reaches them there"
    ] = "resized"
    cache_dir: Annotated[Path, path(), "the results on this node's disk"] = Path("/var/cache/resizer")
    run_dir: Annotated[
        Path | None,
        path(),
        "where the node's processes meet: `render.sock` of the render service, locks and counters;"
        " without it this process renders by itself",
    ] = None

    presets: Annotated[
        Mapping[str, str], pairs(), "options by name; those given replace the shipped ones"
    ] = field(default_factory=lambda: presets_of.SHIPPED)
    presets_only: Annotated[bool, flag(), "refuse all URLs but those of presets, signed ones too"] = False
    unsigned: Annotated[bool, flag(), "serve `/unsafe/…`: anybody may ask for any size"] = False
    signing_keys: Annotated[
        tuple[str, ...], texts(), f"the first signs, all are accepted; each of {MIN_KEY_BYTES} bytes or more"
    ] = field(default=(), repr=False)
    max_width: Annotated[int, whole(1, MAX_SIDE), "the widest result, in pixels"] = 4096
    max_height: Annotated[int, whole(1, MAX_SIDE), "the highest result, in pixels"] = 4096

    formats: Annotated[tuple[str, ...], texts(FORMATS), "what originals may be; others are 415"] = FORMATS
    max_original_bytes: Annotated[int, whole(1, 1 << 30), "the largest original read"] = 64 << 20
    max_pixels: Annotated[int, whole(1, PILLOW_MAX_PIXELS), "the largest original decoded"] = 50_000_000
    max_frames: Annotated[int, whole(1, 10_000), "the longest animation"] = 200
    max_animated_pixels: Annotated[
        int, whole(1, 1_000_000_000), "the largest animation: frames times pixels of the original"
    ] = 50_000_000
    max_output_pixels: Annotated[int, whole(1, PILLOW_MAX_PIXELS), "the largest result"] = 16_777_216
    decode_seconds: Annotated[int, whole(1, 60), "the longest decoding"] = 10
    quality: Annotated[int, whole(1, 100), "of JPEG, WebP and AVIF where the URL has no `q`"] = 80

    masters: Annotated[
        bool, flag(), "keep of large originals what was decoded for a size, and render further sizes from it"
    ] = True
    master_side: Annotated[int, whole(256, 8192), "the longer side of a master, in pixels, at most"] = 2048
    revalidate_seconds: Annotated[
        int,
        whole(0, 30 * 86_400),
        "how long a result is served before its original is looked at again; 0: for ever",
    ] = 86_400
    purge_poll_seconds: Annotated[int, whole(1, 3600), "how often a node looks for purges"] = 10

    immutable: Annotated[
        tuple[str, ...],
        texts(("signed", "versioned")),
        "which URLs get `max-age=31536000, immutable`; never those of presets",
    ] = ("signed", "versioned")
    max_age_seconds: Annotated[int, whole(0, YEAR_SECONDS), "`Cache-Control` of other images"] = 86_400
    error_max_age_seconds: Annotated[int, whole(0, 3600), "`Cache-Control` of errors"] = 5
    allow_origins: Annotated[tuple[str, ...], texts(), "CORS: origins that may read images, or `*`"] = ()
    timing_allow_origins: Annotated[
        tuple[str, ...], texts(), "`Timing-Allow-Origin`: origins that may see timings, or `*`"
    ] = ()
    fallback: Annotated[
        Path | None, path(), "an image that is served for originals that are missing or broken"
    ] = None
    fallback_status: Annotated[int, whole(200, 599), "with which status it is served"] = 404

    renders: Annotated[int, whole(1, 256), "simultaneous renderings of the node; by default its cores"] = (
        field(default_factory=_cores)
    )
    queue_length: Annotated[
        int, whole(0, 10_000), "requests that wait for a rendering; one more gets 503"
    ] = 64
    queue_seconds: Annotated[int, whole(0, 60), "how long a request waits for a place to render"] = 5
    flight_seconds: Annotated[
        int, whole(0, 60), "how long a request waits for another that makes the same"
    ] = 20
    uploads_waiting: Annotated[int, whole(0, 10_000), "results that wait to be put into the store"] = 200
    store_connect_seconds: Annotated[int, whole(1, 30), "deadline for a connection to the store"] = 1
    store_read_seconds: Annotated[int, whole(1, 60), "deadline for an answer of the store"] = 5
    store_attempts: Annotated[int, whole(1, 5), "how often the store is asked"] = 2

    cache_max_bytes: Annotated[
        int, whole(0, 1 << 50), "the largest disk cache; 0: what the file system allows"
    ] = 0
    cache_high_percent: Annotated[int, whole(2, 99), "evict when this share of bytes or inodes is in use"] = (
        90
    )
    cache_low_percent: Annotated[int, whole(1, 98), "until this share is"] = 80

    def original(self, key: str) -> str:
        """Return where the store keeps the original of `key`."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def result(self, name: str) -> str:
        """Return where the store keeps the result of an address."""
        return f"{self.results_prefix}/{name}"

    @cached_property
    def rules(self) -> Rules:
        """Return what a URL may ask for. Raises ConfigError for a preset that makes no sense."""
        bounds = Bounds(self.max_width, self.max_height)
        return Rules(
            presets=presets_of.read(self.presets, bounds, "the configuration"),
            signing_keys=tuple(key.encode() for key in self.signing_keys),
            unsigned=self.unsigned,
            presets_only=self.presets_only,
            bounds=bounds,
            immutable=frozenset(self.immutable),
            prefix=self.prefix,
            results_prefix=self.results_prefix,
        )


def read(file: Path) -> Config:
    """Read the configuration file. Raises ConfigError naming the file, the key and what would be right."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: the configuration cannot be read: {error.strerror}.",
            "Create it with a bucket, or point RESIZER_CONFIG at another file.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: the configuration is not TOML: {error}.", "Correct the file at that place."
        ) from error
    return parse(document, str(file))


def parse(document: Mapping[str, Any], name: str) -> Config:
    """Make a Config of a parsed TOML document; `name` is what errors call it. Raises ConfigError."""
    kinds = {key: kind for key, kind, _ in keys()}
    for key in document:
        if key not in kinds:
            raise ConfigError(f"{name}: the key {key!r} is unknown.", f"Use one of: {', '.join(kinds)}.")
    config = Config(**{key: _value(key, value, kinds[key], name) for key, value in document.items()})
    _agree(config, name)
    return config


def keys() -> Iterator[tuple[str, Kind, str]]:
    """Yield every key, what it takes and what it means."""
    for key, hint in get_type_hints(Config, include_extras=True).items():
        _, kind, means = get_args(hint)
        yield key, kind, means


def table() -> str:
    """Return the table of all keys as README.md shows it."""
    defaults = vars(Config()) | {"renders": "cores"}
    rows = [f"| `{key}` | {_shown(defaults[key])} | {means} |" for key, _, means in keys()]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _shown(default: Any) -> str:
    if isinstance(default, Mapping | tuple):
        default = ", ".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    return f"`{default}`" if default not in {"", None} else ""


def _value(key: str, value: Any, kind: Kind, name: str) -> Any:
    try:
        return kind.read(value)
    except ValueError:
        said = "not that" if key == "signing_keys" else repr(value)
        raise ConfigError(
            f"{name}: the key {key!r} is {said}; it must be {kind.words}.", f"Write {kind.words} there."
        ) from None


def _agree(config: Config, name: str) -> None:
    for wrong, what, hint in _quarrels(config):
        if wrong:
            raise ConfigError(f"{name}: {what}", hint)
    try:
        config.rules  # noqa: B018 - read for its errors
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}", error.hint) from error


def _quarrels(config: Config) -> tuple[tuple[bool, str, str], ...]:
    return (
        (
            (config.bucket is None) == (config.folder is None),
            "exactly one of the keys 'bucket' and 'folder' must be set.",
            "Name a bucket on a node, or a folder for development.",
        ),
        (
            not config.results_prefix or f"{config.prefix}/".startswith(f"{config.results_prefix}/"),
            f"the key 'results_prefix' is {config.results_prefix!r}; {_APART.format(config.prefix)}",
            "Choose a results_prefix of its own, such as resized.",
        ),
        (
            any(len(key.encode()) < MIN_KEY_BYTES for key in config.signing_keys),
            f"one of the 'signing_keys' is shorter than {MIN_KEY_BYTES} bytes.",
            "Make one with `openssl rand -hex 32`.",
        ),
        (
            config.cache_low_percent >= config.cache_high_percent,
            "the key 'cache_low_percent' is not below 'cache_high_percent'.",
            "Leave ten percent between them.",
        ),
    )
