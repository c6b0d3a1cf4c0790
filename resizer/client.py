"""URLs for applications: one pure function, which needs nothing but Python's standard library."""

from __future__ import annotations

from resizer import address, presets
from resizer.errors import BadOptionError
from resizer.options import Options
from resizer.spelling import WIDEST, parse


def url(
    base: str,
    key: str,
    *,
    preset: str = "",
    options: Options | str = "",
    signing_key: str | bytes = "",
) -> str:
    """Return the URL of a result under `base`, such as `https://img.example.com`.

    With a preset there is neither options nor signature. Options are given as a value or as they are written
    (`w300,fill,h200`, in any order); the URL has their canonical spelling, so that it is never redirected.
    Without a signing key it begins with /unsafe, which nodes serve only when so configured.

    Raises BadOptionError, or BadAddressError if no URL can name such a key.
    """
    address.check_key(key)
    if preset:
        if options or not presets.NAME.fullmatch(preset):
            raise BadOptionError(
                preset, f"The preset {preset!a} is none.", "Give a preset or options, not both."
            )
        return base.rstrip("/") + address.quoted(f"/{preset}/{key}")
    wanted = parse(options or "full", WIDEST) if isinstance(options, str) else options
    secret = signing_key.encode() if isinstance(signing_key, str) else signing_key
    return base.rstrip("/") + address.location(wanted, key, secret or None)
