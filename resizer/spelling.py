"""The spelling of options in a URL: `w300,h200,fill,q80`. One result has one spelling. Pure."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from resizer.errors import BadOptionError
from resizer.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.options import Format

NOTHING = "full"  # as IIIF calls a picture that keeps its size
MAX_DPR = 4
MAX_BLUR = 100
MAX_SHARPEN = 10
_CUTTING = frozenset({"fill", "pad", "crop", "smart"})
_LOSSLESS = frozenset({"png", "gif"})
# Words of thumbor's and imgproxy's users; they are sent on to ours.
_ALSO = {
    "fit-in": "fit",
    "grayscale": "gray",
    "f_jpg": "f_jpeg",
    "rotate90": "rot90",
    "rotate180": "rot180",
    "rotate270": "rot270",
}


@dataclass(frozen=True)
class Bounds:
    """The largest box a URL may ask for, in pixels of the result."""

    max_width: int = 4096
    max_height: int = 4096


# WebP cannot be larger; the other formats keep to it, so that a preset may change its format.
MAX_SIDE = 16_383
WIDEST = Bounds(MAX_SIDE, MAX_SIDE)


class Word(NamedTuple):
    """One kind of option: its field, an example of it, its form, and how its value is read and spelt."""

    field: str
    example: str
    pattern: re.Pattern[str]
    read: Callable[[str], Any]
    spell: Callable[[Any], str]


def _number(text: str) -> float:
    return round(float(text), 2)


def _decimal(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _colour(text: str) -> tuple[int, int, int]:
    digits = text if len(text) == 6 else "".join(2 * digit for digit in text)
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _hex(colour: tuple[int, int, int]) -> str:
    return bytes(colour).hex()


def _word(
    field: str,
    example: str,
    stem: str,
    value: str,
    read: Callable[[str], Any] = str,
    spell: Callable[[Any], str] = str,
) -> Word:
    return Word(
        field, example, re.compile(f"{stem}({value})", re.ASCII), read, lambda value: stem + spell(value)
    )


def _flag(name: str) -> Word:
    return Word(name, name, re.compile(f"({name})"), bool, lambda _: name)


_WHOLE = "[1-9][0-9]{0,8}"
_FRACTION = r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,2})?"
# In the order of the canonical spelling.
WORDS = (
    _word("width", "w300", "w", _WHOLE, int),
    _word("height", "h200", "h", _WHOLE, int),
    _word("mode", "fit, fill, pad, crop or smart", "", "fit|fill|pad|crop|smart"),
    _word("background", "bg_ffffff", "bg_", "[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3}", _colour, _hex),
    _word("quality", "q80", "q", _WHOLE, int),
    _word("format", "f_auto, f_jpeg, f_png, f_webp, f_avif or f_gif", "f_", "auto|jpeg|png|webp|avif|gif"),
    _word("dpr", "dpr2", "dpr", _FRACTION, _number, _decimal),
    _word("blur", "blur2.5", "blur", _FRACTION, _number, _decimal),
    _word("sharpen", "sharpen1", "sharpen", _FRACTION, _number, _decimal),
    _flag("gray"),
    _word("rotate", "rot90, rot180 or rot270", "rot", "0|90|180|270", int),
    _flag("enlarge"),
    _word("version", "v42", "v", "[A-Za-z0-9_-]{1,40}"),
)
_RANGES = {"quality": (1, 100), "dpr": (1, MAX_DPR), "blur": (0, MAX_BLUR), "sharpen": (0, MAX_SHARPEN)}
_PLAIN = Options()


def parse(text: str, bounds: Bounds) -> Options:
    """Read options in any order and in any accepted spelling. Raises BadOptionError naming the option."""
    found: dict[str, Any] = {}
    for token in [] if text == NOTHING else text.split(","):
        word, value = _read(_ALSO.get(token, token))
        if word.field in found:
            raise _bad(token, "is the second of its kind", f"Give at most one of {word.example}.")
        found[word.field] = value
    options = Options(**found)
    _check(options, bounds)
    return options


def normal(options: Options, natural: Format | None = None) -> Options:
    """Return what renders the same with nothing superfluous said; `natural` is the format without `f_`."""
    fmt = None if options.format == natural else options.format
    sized = options.width is not None or options.height is not None
    return replace(
        options,
        width=_scaled(options.width, options.dpr),
        height=_scaled(options.height, options.dpr),
        dpr=1.0,
        format=fmt,
        quality=None if (fmt or natural) in _LOSSLESS else options.quality,
        enlarge=options.enlarge and sized and options.mode != "crop",
    )


def spell(options: Options) -> str:
    """Spell options; those in their normal form get the spelling that is served without a redirect."""
    said = [
        word.spell(getattr(options, word.field))
        for word in WORDS
        if getattr(options, word.field) != getattr(_PLAIN, word.field)
    ]
    return ",".join(said) or NOTHING


def _scaled(side: int | None, dpr: float) -> int | None:
    hundredths = round(dpr * 100)
    return None if side is None else max(1, (2 * side * hundredths + 100) // 200)


def _read(token: str) -> tuple[Word, Any]:
    for word in WORDS:
        match = word.pattern.fullmatch(token)
        if match:
            return word, word.read(match[1])
    examples = [word.example for word in WORDS]
    same = [example for example in examples if _stem(example) == _stem(token)]
    if same:
        raise _bad(token, "is malformed", f"Write it like {same[0]}.")
    near = difflib.get_close_matches(token, examples, 1, 0.4) or [NOTHING, *examples]
    raise _bad(token, "is unknown", f"Options are written like {'; '.join(near)}.")


def _stem(token: str) -> str:
    letters = re.match(r"[a-z]+_?", token)
    return letters[0] if letters else ""


def _check(options: Options, bounds: Bounds) -> None:
    exact = normal(options)
    _within(f"w{options.width}", exact.width, 1, bounds.max_width)
    _within(f"h{options.height}", exact.height, 1, bounds.max_height)
    for word in WORDS:
        if word.field in _RANGES:
            value = getattr(options, word.field)
            _within(word.spell(value), value, *_RANGES[word.field])
    if options.mode in _CUTTING and None in {options.width, options.height}:
        raise _bad(options.mode, "needs a width and a height", f"Write it like w300,h200,{options.mode}.")


def _within(option: str, value: float | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise _bad(option, f"stands for {_decimal(value)}, beyond {low} to {high}", "Choose one within.")


def _bad(option: str, what: str, hint: str) -> BadOptionError:
    return BadOptionError(option, f"The option {option[:80]!a} {what}.", hint)
