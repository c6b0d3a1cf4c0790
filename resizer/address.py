"""The address of a result: which original, how it shall look, and who says so.

`/{signature}/{options}/{key}`, `/unsafe/{options}/{key}` or `/{preset}/{key}`. Pure: text in, value or error
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from resizer import presets as shipped
from resizer.errors import BadAddressError, Elsewhere, NotAllowedError, SignatureError
from resizer.options import Options
from resizer.signature import is_signed, looks_signed, sign
from resizer.spelling import Bounds, normal, spell
from resizer.spelling import parse as parse_options

if TYPE_CHECKING:
    from resizer.options import Format, Wanted

GRAMMAR = "/{signature}/{options}/{key}, /unsafe/{options}/{key} or /{preset}/{key}"
UNSIGNED = "unsafe"  # thumbor's word
MAX_KEY_BYTES = 1024  # the limit of S3
_BY_EXTENSION: Mapping[str, Format] = {
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "png": "png",
    "webp": "webp",
    "avif": "avif",
    "gif": "gif",
}
# C0 controls, DEL and C1 controls end log lines and header lines; nobody names a photograph with them. Halves
# of surrogate pairs are no characters at all.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What would be a dot, a slash, a backslash or a control character if somebody behind us decoded once more.
_TWICE_ENCODED = re.compile(r"%(?:2[ef]|5c|[01][0-9a-f]|7f)", re.IGNORECASE)


@dataclass(frozen=True)
class Rules:
    """What a node accepts: its presets, its signing keys (the first signs), and how wide it opens.

    `immutable` says which URLs never change: those `signed`, those `versioned`, or neither. `prefix` and
    `results_prefix` are where in the store originals and results are: no key may name a result.
    """

    presets: Mapping[str, Options] = field(
        default_factory=lambda: shipped.read(shipped.SHIPPED, Bounds(), "the shipped presets")
    )
    signing_keys: tuple[bytes, ...] = ()
    unsigned: bool = False
    presets_only: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    immutable: frozenset[str] = frozenset({"signed", "versioned"})
    prefix: str = ""
    results_prefix: str = "resized"


@dataclass(frozen=True)
class Address:
    """One result. `options` are in their normal form; `path` is the URL's, decoded, without first slash."""

    options: Options
    key: str
    path: str
    signed: bool = False
    preset: str | None = None
    immutable: bool = False

    @cached_property
    def result(self) -> str:
        """Return the one name of the result, `{options}/{key}`: what the store and single flight go by."""
        return f"{spell(self.options)}/{self.key}"

    @property
    def head(self) -> str:
        """Return the path before the key: the preset's name, or the signature and the options."""
        return self.path[: -len(self.key) - 1]

    @property
    def format(self) -> Wanted:
        """Return the format of the result; `auto` where the client's Accept header has to decide."""
        return self.options.format or natural_format(self.key)

    def negotiated(self, fmt: Format) -> Address:
        """Return the address once `auto` has been decided; its `result` is that of a URL that says so."""
        options = normal(replace(self.options, format=fmt), natural_format(self.key))
        return replace(self, options=options)


def path_of(path_info: str) -> str:
    """Return the URL path as text from WSGI's PATH_INFO, which carries UTF-8 bytes dressed up as Latin-1.

    Raises BadAddressError if the bytes are not UTF-8.
    """
    try:
        return path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise BadAddressError(
            "The path is not UTF-8.", "Percent-encode the key's UTF-8 bytes when writing the URL."
        ) from None


def natural_format(key: str) -> Format:
    """Return the format of a result whose options name none: the key's extension, else JPEG."""
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    return _BY_EXTENSION.get(extension.lower(), "jpeg") if stem else "jpeg"


def parse(path: str, rules: Rules) -> Address:
    """Read an address from a percent-decoded URL path, with or without its first slash.

    Raises BadAddressError, BadOptionError, SignatureError or NotAllowedError; Elsewhere if the URL is valid
    but not the one spelling of its result.
    """
    path = path.removeprefix("/")
    first, _, rest = path.partition("/")
    if first in rules.presets:
        return _by_preset(path, first, check_key(rest, rules), rules)
    signed = looks_signed(first)
    if not signed and first != UNSIGNED:
        raise _unknown(path, first, rules)
    text, _, key = rest.partition("/")
    _admit(first if signed else None, rest, rules)
    return _by_options(path, first if signed else None, text, check_key(key, rules), rules)


def location(options: Options, key: str, signing_key: bytes | None) -> str:
    """Return the URL path of a result, percent-encoded, signed if there is a key to do so."""
    rest = f"{spell(normal(options, natural_format(key)))}/{key}"
    return quoted(f"/{sign(signing_key, rest) if signing_key else UNSIGNED}/{rest}")


def quoted(path: str) -> str:
    """Percent-encode a URL path, in one way of many."""
    return quote(path, safe="/,")


def check_key(key: str, rules: Rules | None = None) -> str:
    """Return the key if an original may have it. Raises BadAddressError."""
    fault = _fault(key, rules or Rules())
    if fault:
        raise BadAddressError(f"The key {key[:200]!a} {fault}.", "Ask for the key as the store spells it.")
    return key


def _by_preset(path: str, preset: str, key: str, rules: Rules) -> Address:
    return Address(normal(rules.presets[preset], natural_format(key)), key, path, preset=preset)


def _by_options(path: str, signature: str | None, text: str, key: str, rules: Rules) -> Address:
    options = normal(parse_options(text, rules.bounds), natural_format(key))
    if spell(options) != text:
        raise Elsewhere(location(options, key, rules.signing_keys[0] if signature else None))
    kinds = {"signed"} if signature else set()
    kinds |= {"versioned"} if options.version else set()
    return Address(options, key, path, bool(signature), immutable=bool(kinds & rules.immutable))


def _admit(signature: str | None, text: str, rules: Rules) -> None:
    if rules.presets_only:
        raise NotAllowedError(
            "This node serves presets only.", f"Ask for {_choice(rules)}, or turn presets_only off."
        )
    if signature is None and not rules.unsigned:
        raise NotAllowedError(
            "This node serves signed URLs and presets only.",
            f"Sign the URL, ask for {_choice(rules)}, or allow unsigned URLs in the configuration.",
        )
    if signature is not None and not _sound(text, signature, rules):
        raise SignatureError(
            "The signature is not one of ours.",
            "Sign the percent-decoded {options}/{key} as it stands in the URL, with a key in signing_keys.",
        )


def _sound(text: str, signature: str, rules: Rules) -> bool:
    try:
        return is_signed(rules.signing_keys, signature, text)
    except UnicodeEncodeError:  # half a surrogate pair: no such text was ever signed
        return False


def _unknown(path: str, first: str, rules: Rules) -> BadAddressError:
    if "/" not in path or not shipped.NAME.fullmatch(first):
        return BadAddressError(
            f"The path {path[:200]!a} is not {GRAMMAR}.",
            f"Ask for {_choice(rules)}, such as /medium/photo.jpg.",
        )
    return BadAddressError(f"There is no preset {first!a}.", f"Ask for {_choice(rules)}, or sign options.")


def _choice(rules: Rules) -> str:
    return f"a preset ({', '.join(sorted(rules.presets)) or 'none is configured'})"


def _fault(key: str, rules: Rules) -> str | None:
    segments = key.split("/")
    stored = f"{rules.prefix}/{key}" if rules.prefix else key
    faults = (
        (_CONTROL.search(key), "holds a control character"),
        ("\\" in key, "holds a backslash"),
        (_TWICE_ENCODED.search(key), "is percent-encoded twice"),
        (len(key.encode(errors="replace")) > MAX_KEY_BYTES, f"is longer than {MAX_KEY_BYTES} bytes"),
        (not all(segments), "has an empty segment"),
        # Covers `..`, and keeps such names free for the cache's own files.
        (any(each.startswith(".") for each in segments), "has a segment that begins with a dot"),
        (f"{stored}/".startswith(f"{rules.results_prefix}/"), "names a result, not an original"),
    )
    return next((fault for found, fault in faults if found), None)
