"""The difference between a deployment as it is and as it shall be, as ordered actions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.tree import Tree

from fleet import alarms, names_in_route53, scaling_groups
from fleet.actions import (
    Action,
    MakeBucket,
    MakeKey,
    MakeZone,
    PointName,
    PutAlarm,
    PutBalancer,
    PutGroup,
    PutRole,
    PutSample,
    PutTemplate,
)
from fleet.actual import Actual
from fleet.grace import grace
from fleet.node import Node, spread, thinning
from fleet.node_actions import AwaitService, Launch, PutScaling, RemoveScaling, Start, Terminate, nodes
from fleet.removals import RemoveAlarms, RemoveBalancer, RemoveGroups, RemoveRole, RemoveTemplate
from fleet.wanted import Kind, Wanted

if TYPE_CHECKING:
    from fleet.scaling_rules import Scaling

_TAKEN_OVER = "an auto scaling group takes over"
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "…": "dim"}


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order; empty when all is so."""

    deployment: str
    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        actions = [{"sign": one.sign, "what": one.what, "details": list(one.details)} for one in self.actions]
        return {"deployment": self.deployment, "actions": actions, "notes": list(self.notes)}

    def __rich__(self) -> Tree:
        """As people read it."""
        tree = Tree(f"[bold]{self.deployment}[/]", guide_style="dim")
        for one in self.actions:
            branch = tree.add(f"[{_COLOURS[one.sign]}]{one.sign} {one.what}[/]", highlight=False)
            for detail in one.details:
                branch.add(detail, highlight=False)
        if not self.actions:
            tree.add("nothing to change")
        for note in self.notes:
            tree.add(f"[yellow]![/] {note}", highlight=False)
        return tree


def plan(wanted: Wanted, actual: Actual) -> Plan:
    """What makes a deployment so. What replaces something comes before what it replaces goes."""
    grounds = [*_grounds(wanted, actual), *_groups(wanted, actual), *_balancers(wanted, actual)]
    templates = list(_templates(wanted, actual, grounds))
    added = [one for kind in wanted.kinds for one in _added(wanted, kind, actual)]
    anew = {one.balancer.name for one in grounds if isinstance(one, PutBalancer) and one.sign == "+"}
    names = [*_name(wanted, actual), *_alarms(wanted, actual, anew)]
    gone = [*_surplus(wanted, actual), *_dropped(wanted, actual)]
    replaced = any(_is_replaced(one, wanted) for one in (*names, *gone))
    waited = [AwaitService()] if added or anew or replaced else []
    actions = (*grounds, *templates, *added, *waited, *names, *gone)
    return Plan(wanted.names.deployment, actions, tuple(_notes(wanted, actual)))


def count_of(kind: Kind, actual: Actual) -> int:
    """How many plain nodes a kind shall have: the file's number, or what overruled that very number."""
    there = actual.templates.get(kind.name)
    base, arrow, asked = there.scaled.partition("->") if there else ("", "", "")
    overruled = bool(arrow) and base == str(kind.template.count)
    return int(asked) if overruled else kind.template.count


def outdated(kind: Kind, found: Sequence[Node]) -> list[Node]:
    """The nodes that were made from something else than would be made now."""
    return [one for one in found if one.digest != kind.digest or one.image_id != kind.image.id]


def _grounds(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    bucket = wanted.deployment.bucket
    if bucket and bucket.owned:
        if not actual.bucket:
            yield MakeBucket(wanted.bucket)
        if bucket.sample and not actual.sample:
            yield PutSample(wanted.bucket, bucket.sample)
    if not actual.key:
        yield MakeKey(wanted.names.of())
    for role in wanted.roles:
        if actual.roles.get(role.name) != role.policy:
            yield PutRole(role, new=not actual.roles.get(role.name))


def _groups(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    for group in wanted.groups:
        there = actual.groups.get(group.name)
        has = there.rules if there else frozenset()
        opened = tuple(one for one in group.rules if one not in has)
        closed = tuple(sorted(has - set(group.rules)))
        if there is None or opened or closed:
            yield PutGroup(group, there is None, opened, closed)


def _balancers(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    for one in wanted.deployment.balancers:
        short = wanted.names.short(one.name)
        there = actual.balancer(one, wanted.names)
        if there is None or actual.differing.get(short):
            yield PutBalancer(one, short, actual.differing.get(short, ()) if there else ())


def _templates(wanted: Wanted, actual: Actual, before: Sequence[Action]) -> Iterator[Action]:
    """Launch templates name load balancers and groups by ids, so they follow those that are made anew."""
    anew = {one.balancer.name for one in before if isinstance(one, PutBalancer) and one.sign == "+"}
    groups = {one.group.name for one in before if isinstance(one, PutGroup) and one.new}
    for kind in wanted.kinds:
        there = actual.templates.get(kind.name)
        follows = anew & set(kind.template.balancers) or kind.group in groups
        if there is None or there.digest != kind.digest or follows:
            yield PutTemplate(kind, there)


def _added(wanted: Wanted, kind: Kind, actual: Actual) -> Iterator[Action]:
    if kind.scaling:
        yield from _scaled(wanted, kind, kind.scaling, actual)
        return
    found = actual.nodes_of(kind.name)
    lacking = count_of(kind, actual) - sum(one.up for one in found)
    resting = [one for one in found if not one.up][: max(lacking, 0)]
    if resting:
        yield Start(kind.name, tuple(one.id for one in resting))
    if lacking > len(resting):
        staying = [one for one in found if one.up or one in resting]
        zones = spread(lacking - len(resting), wanted.ground.zones, staying)
        yield Launch(kind, tuple(zones.items()))


def _scaled(wanted: Wanted, kind: Kind, scaling: Scaling, actual: Actual) -> Iterator[Action]:
    there = actual.scaling.get(kind.name)
    admitted = max((one.in_service_seconds for one in wanted.balancers_of(kind)), default=0)
    booted = [one for one in actual.nodes if one.template == kind.name]
    found = grace(scaling, admitted, booted, there.grace_seconds if there else None)
    if (
        there is None
        or there.digest != scaling_groups.digest_of(kind, wanted)
        or there.grace_seconds != found.seconds
    ):
        yield PutScaling(kind, there, count_of(kind, actual), found)


def _surplus(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    known = {kind.name: kind for kind in wanted.kinds}
    for template in dict.fromkeys(one.template for one in actual.nodes if not one.group):
        found, kind = actual.nodes_of(template), known.get(template)
        if kind is None:
            yield Terminate(template, tuple(one.id for one in found), "the template is not in the file")
        elif kind.scaling:
            yield Terminate(template, tuple(one.id for one in found), _TAKEN_OVER)
        elif len(found) > count_of(kind, actual):
            over = len(found) - count_of(kind, actual)
            chosen = tuple(one.id for one in _least_wanted(kind, found))[:over]
            yield Terminate(template, chosen, f"{count_of(kind, actual)} are wanted")


def _is_replaced(one: Action, wanted: Wanted) -> bool:
    """Whether what an action takes away has something in its place, which has to serve before."""
    match one:
        case Terminate():
            return one.why == _TAKEN_OVER
        case RemoveScaling():
            return one.there.template in {kind.name for kind in wanted.kinds}
        case RemoveBalancer():
            return one.there.name in {wanted.names.short(each.name) for each in wanted.deployment.balancers}
        case PointName():
            return one.before != ""
    return False


def _least_wanted(kind: Kind, found: Sequence[Node]) -> Iterator[Node]:
    """Stopped ones first, then those out of date, then such that the rest stays spread over the zones."""
    old = outdated(kind, found)
    yield from (one for one in found if not one.up)
    yield from (one for one in old if one.up)
    yield from thinning([one for one in found if one.up and one not in old])


def _name(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    dns = wanted.deployment.dns
    if dns is None:
        return
    if actual.name is None and dns.make_zone:
        yield MakeZone(dns.zone)
    balancer = next(one for one in wanted.deployment.balancers if one.name == dns.balancer)
    there = actual.balancer(balancer, wanted.names)
    record = actual.name.record if actual.name else None
    if there is None or record != names_in_route53.wanted_record(dns, there):
        before = f"{record.kind} {record.target}, {record.ttl_seconds} s" if record else ""
        yield PointName(dns.name, dns.kind, dns.ttl_seconds, dns.balancer, before)


def _alarms(wanted: Wanted, actual: Actual, anew: Collection[str]) -> Iterator[Action]:
    """Alarms watch load balancers by their ids, so they follow those that are made anew."""
    for alarm in wanted.deployment.alarms:
        has = actual.alarms.get(alarms.name_of(alarm, wanted.names))
        if has != alarms.digest_of(alarm) or alarm.balancer in anew:
            yield PutAlarm(alarm, new=has is None)


def _dropped(wanted: Wanted, actual: Actual) -> Iterator[Action]:
    """What the file does not name any more."""
    kinds = {kind.name: kind for kind in wanted.kinds}
    for template, there in actual.scaling.items():
        if template not in kinds or not kinds[template].scaling:
            yield RemoveScaling(there)
    alarm_names = {alarms.name_of(one, wanted.names) for one in wanted.deployment.alarms}
    if surplus := tuple(sorted(actual.alarms.keys() - alarm_names)):
        yield RemoveAlarms(surplus)
    shall = {(wanted.names.short(one.name), one.kind) for one in wanted.deployment.balancers}
    yield from (RemoveBalancer(one) for one in actual.balancers if (one.name, one.kind) not in shall)
    yield from (RemoveTemplate(one) for name, one in actual.templates.items() if name not in kinds)
    yield from (RemoveRole(one) for one in actual.roles if one not in {role.name for role in wanted.roles})
    names = {one.name for one in wanted.groups}
    if groups := tuple(one for name, one in actual.groups.items() if name not in names):
        yield RemoveGroups(groups)


def _notes(wanted: Wanted, actual: Actual) -> Iterator[str]:
    for kind in wanted.kinds:
        of_kind = [one for one in actual.nodes if one.template == kind.name]
        if old := outdated(kind, of_kind):
            yield f"{nodes(len(old))} of {kind.name} made of something older; a roll-out replaces them"
        if not kind.scaling and count_of(kind, actual) != kind.template.count:
            asked, file = count_of(kind, actual), kind.template.count
            yield f"{kind.name} is scaled to {asked}, the file says {file}: that holds until it says another"
