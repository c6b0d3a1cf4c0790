"""Presets: options under a name, `thumb = "w150,h150,fill"`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resizer.errors import BadOptionError, ConfigError
from resizer.spelling import normal, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resizer.options import Options
    from resizer.spelling import Bounds

# The sizes that WordPress has made of every upload for twenty years.
SHIPPED: Mapping[str, str] = {"thumb": "w150,h150,fill", "medium": "w300,h300", "large": "w1024,h1024"}
TAKEN = frozenset({"unsafe", "health", "metrics"})
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read(given: Mapping[str, str], bounds: Bounds, where: str) -> dict[str, Options]:
    """Read presets from names and options as text; `where` is what errors call them. Raises ConfigError."""
    return {name: _preset(name, text, bounds, where) for name, text in given.items()}


def _preset(name: str, text: str, bounds: Bounds, where: str) -> Options:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise ConfigError(
            f"{where}: {name!r} cannot be the name of a preset.",
            "Begin with a small letter, go on with at most 31 small letters, digits and hyphens;"
            f" {', '.join(sorted(TAKEN))} are taken.",
        )
    try:
        return normal(parse(text, bounds))
    except BadOptionError as error:
        raise ConfigError(f"{where}: the preset {name!r} is {text!r}. {error}", error.hint) from error
