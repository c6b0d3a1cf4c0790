"""Whether new nodes do as well as the old ones did: errors and latencies before and after. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

# A canary among two hundred nodes that fails at everything makes for one error in two hundred.
_SHARE_THAT_MAY_FAIL = 0.5


@dataclass(frozen=True)
class Traffic:
    """What went through a load balancer in some time. Latencies are None where nobody asked for anything."""

    requests: float
    errors: float
    """Answers of 500 and above, whether a node's or the load balancer's own."""
    p99_seconds: float | None = None

    @property
    def error_rate(self) -> float:
        """Errors among the requests."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Limits:
    """How much worse than before is still well."""

    error_rate_above: float = 0.01
    """Added to the rate before."""
    p99_times: float = 2.0
    p99_floor_seconds: float = 0.25
    """Below it a latency is well whatever it was before: ratios of small numbers say nothing."""
    fewest_requests: int = 20
    """With fewer the errors are judged alone: one slow answer among five is no percentile."""

    @classmethod
    def of_share(cls, share: float) -> Limits:
        """The limits where the new nodes are a share of all: a canary among many can spoil only so much."""
        return cls(error_rate_above=min(cls.error_rate_above, share * _SHARE_THAT_MAY_FAIL))


def total(parts: Iterable[Traffic]) -> Traffic:
    """What went through in several times, with the slowest one's percentile."""
    found = list(parts)
    known = [one.p99_seconds for one in found if one.p99_seconds is not None]
    return Traffic(
        sum(one.requests for one in found), sum(one.errors for one in found), max(known, default=None)
    )


def worse(before: Traffic, minutes: Mapping[datetime, Traffic], since: datetime, limits: Limits) -> list[str]:
    """What is worse since a moment than before, a sentence each; of the minutes, by when they began.

    The minute of that moment also tells of what went before it, which hides what is wrong now: those that
    began since are judged alone as well, if anything can be said of them.
    """
    begun = total(one for at, one in minutes.items() if at >= since)
    enough = begun.requests >= limits.fewest_requests
    return (list(faults(before, begun, limits)) if enough else []) or list(
        faults(before, total(minutes.values()), limits)
    )


def faults(before: Traffic, after: Traffic, limits: Limits) -> Iterator[str]:
    """What is worse than it was, a sentence each."""
    bound = before.error_rate + limits.error_rate_above
    if after.error_rate > bound:
        yield (
            f"{after.errors:g} of {after.requests:g} requests failed ({after.error_rate:.1%},"
            f" before {before.error_rate:.1%})"
        )
    if after.p99_seconds is None or after.requests < limits.fewest_requests:
        return
    slowest = max(limits.p99_floor_seconds, limits.p99_times * (before.p99_seconds or 0))
    if after.p99_seconds > slowest:
        was = f"{before.p99_seconds:.2f} s" if before.p99_seconds is not None else "unknown"
        yield f"the 99th percentile is {after.p99_seconds:.2f} s, before {was}"
