"""Warming the cache: asking this node's own web server for what others are going to ask for."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from bootstrap.act import Act

_LONGEST_ANSWER_SECONDS = 30.0
# What the resizer says of an answer that it had to make, or to fetch, first.
_MADE = ("render", "s3", "shared")


def warm(act: Act) -> None:
    """Ask for every path in WARM_PATHS, for WARM_SECONDS at most.

    A path that fails is said and strands no node.
    """
    end = act.clock.monotonic() + act.number("WARM_SECONDS", 30)
    base = urlsplit(act.text("HEALTH_URL"))
    for path in () if act.dry_run else act.texts("WARM_PATHS"):
        if act.clock.monotonic() > end:
            act.say("the time for warming is over; the rest is made when it is asked for")
            return
        _ask(act, urlunsplit((base.scheme, base.netloc, "/" + path.lstrip("/"), "", "")))


def _ask(act: Act, url: str) -> None:
    try:
        answer = act.ask("GET", url, _LONGEST_ANSWER_SECONDS)
    except OSError as why:
        act.say(f"{url}: {why}")
        return
    if answer.status != 200:
        act.say(f"{url}: status {answer.status}")
    elif answer.headers.get("x-resizer") in _MADE:
        act.note(f"warmed {urlsplit(url).path}")
