"""Filters as EC2 understands them: any value of a filter may match, every filter must."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from localcloud.refusals import refuse

# What a filter looks at in one thing; None when there is no such filter.
Values = Callable[[str], Sequence[object] | None]


def passes(filters: Mapping[str, Sequence[str]], values_of: Values) -> bool:
    """Whether something passes all filters. Refuses a filter that is not known."""
    return all(_passes(name, wanted, values_of(name)) for name, wanted in filters.items())


def values_of_tags(tags: Mapping[str, str], name: str) -> Sequence[object] | None:
    """What the tag filters look at: `tag:KEY`, `tag-key` and `tag-value`."""
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return [tags[key]] if key in tags else []
    return {"tag-key": list(tags), "tag-value": list(tags.values())}.get(name)


def _passes(name: str, wanted: Sequence[str], values: Sequence[object] | None) -> bool:
    if values is None:
        raise refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(_pattern(one).fullmatch(_text(value)) for one in wanted for value in values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def _pattern(wanted: str) -> re.Pattern[str]:
    """A filter's value as a pattern: `*` and `?` are wild unless a backslash precedes them."""
    parts = re.findall(r"\\.|.", str(wanted), re.DOTALL)
    wild = {"*": ".*", "?": "."}
    made = (wild.get(part) or re.escape(part[-1] if len(part) > 1 else part) for part in parts)
    return re.compile("".join(made), re.DOTALL)
