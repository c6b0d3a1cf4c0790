"""Automatic scaling and alarms, as a deployment file wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.balancing import Balancer
from fleet.server_template import ServerTemplate
from fleet.table import NAME, NAME_WORDS, Table

WATCHED = ("unhealthy_hosts", "errors", "latency", "cpu", "load1")
_WARM_UP_SECONDS = 60
_CRON = re.compile(r"(\S+ ){4}\S+")


@dataclass(frozen=True)
class Schedule:
    """A change of limits at times of the clock (cron, UTC)."""

    name: str
    cron: str
    least: int
    most: int


@dataclass(frozen=True)
class Scaling:
    """Between which numbers, and by what, the nodes of some templates are scaled."""

    templates: tuple[str, ...]
    least: int
    most: int
    target_cpu_percent: int = 0
    requests_per_target: int = 0
    """Requests a minute; one of both targets is above zero."""
    warm_up_seconds: int = _WARM_UP_SECONDS
    grace_seconds: int = 0
    """How long a new node may be unhealthy; 0: several times the boot that was measured."""
    protected: bool = False
    schedule: tuple[Schedule, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm on a load balancer, the CPU of an auto scaling group, or the most loaded node."""

    name: str
    watch: str
    above: float
    minutes: int = 2
    balancer: str = ""
    template: str = ""
    notify: tuple[str, ...] = ()
    """ARNs, of SNS topics mostly."""


def read_scaling(
    top: Table, templates: Sequence[ServerTemplate], balancers: Sequence[Balancer]
) -> Scaling | None:
    """The [scaling] table of a deployment file. Raises DeploymentError."""
    table = top.table("scaling")
    if table is None:
        return None
    least = table.number("min", None, 0, 5000)
    most = table.number("max", None, max(least, 1), 5000)
    scaled = table.some_of("templates", [one.name for one in templates])
    scaling = Scaling(
        templates=scaled,
        least=least,
        most=most,
        target_cpu_percent=table.number("target_cpu_percent", 0, 0, 100),
        requests_per_target=table.number("requests_per_target", 0, 0, 10_000_000),
        warm_up_seconds=_warm_up(table, [one for one in templates if one.name in scaled], balancers),
        grace_seconds=table.number("grace_seconds", 0, 0, 7200),
        protected=table.flag("protected"),
        schedule=tuple(_schedule(one) for one in table.listed("schedule")),
    )
    if bool(scaling.target_cpu_percent) == bool(scaling.requests_per_target):
        raise table.wrong(
            "target_cpu_percent", "a target, where `requests_per_target` is not given, and only there"
        )
    if scaling.requests_per_target and not any(one.kind == "application" for one in balancers):
        raise table.wrong(
            "requests_per_target", "requests only of an application load balancer, which counts them"
        )
    table.finish()
    return scaling


def _warm_up(table: Table, templates: Sequence[ServerTemplate], balancers: Sequence[Balancer]) -> int:
    """Seconds after which a refresh lets an old node go, whether the new one gets traffic yet or not."""
    behind = {name for one in templates for name in one.balancers}
    least = max((one.check.admitting_seconds for one in balancers if one.name in behind), default=0)
    warm_up = table.number("warm_up_seconds", max(_WARM_UP_SECONDS, least), 0, 3600)
    if warm_up < least:
        raise table.wrong(
            "warm_up_seconds",
            f"{least} or more: so long the health check takes to admit a node, and then old ones go",
        )
    return warm_up


def read_alarms(top: Table, scaled: Sequence[str], balancers: Mapping[str, str]) -> tuple[Alarm, ...]:
    """The alarms of a deployment file; `scaled` are [scaling]'s templates, `balancers` kinds by name.

    Raises DeploymentError.
    """
    return tuple(_alarm(name, table, scaled, balancers) for name, table in top.named("alarm"))


def _schedule(table: Table) -> Schedule:
    least = table.number("min", None, 0, 5000)
    schedule = Schedule(
        name=table.matching("name", NAME, NAME_WORDS),
        cron=table.matching("cron", _CRON, 'five fields of cron, such as "0 7 * * MON-FRI"'),
        least=least,
        most=table.number("max", None, max(least, 1), 5000),
    )
    table.finish()
    return schedule


def _alarm(name: str, table: Table, scaled: Sequence[str], balancers: Mapping[str, str]) -> Alarm:
    watch = table.choice("watch", WATCHED)
    of_group, of_nodes = watch == "cpu", watch in ("cpu", "load1")
    only_balancer = next(iter(balancers)) if len(balancers) == 1 else None
    only_template = scaled[0] if len(scaled) == 1 else None
    alarm = Alarm(
        name=name,
        watch=watch,
        above=table.amount("above", 0),
        minutes=table.number("minutes", 2, 1, 60),
        balancer="" if of_nodes else table.one_of("load_balancer", tuple(balancers), only_balancer),
        template=table.one_of("template", scaled, only_template) if of_group else "",
        notify=table.texts("notify", "a list of ARNs, such as an SNS topic's"),
    )
    if watch in ("errors", "latency") and balancers.get(alarm.balancer) == "network":
        raise table.wrong("watch", "`unhealthy_hosts`: a network load balancer knows of no requests")
    table.finish()
    return alarm
