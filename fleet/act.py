"""A plan carried out: one function for each kind of action, and what of it people see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from aws.ownership import Run
from bake.progress import Progress
from bootstrap.typed import array
from fleet import (
    alarms,
    bucket,
    groups,
    launch_templates,
    launching,
    lb,
    login_key,
    names_in_route53,
    resting,
    roles,
    scaling_groups,
    service,
)
from fleet.actions import (
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
    Removal,
)
from fleet.actual import wanted_balancer
from fleet.naming import Names
from fleet.node_actions import AwaitService, Launch, PutScaling, RemoveScaling, Start, Stop, Terminate
from fleet.removals import (
    RemoveAlarms,
    RemoveBalancer,
    RemoveBucket,
    RemoveGroups,
    RemoveKey,
    RemoveName,
    RemoveRole,
    RemoveTemplate,
    RemoveZone,
)
from fleet.service import Look

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.actions import Action
    from fleet.load_balancer import LoadBalancer
    from fleet.lock import Hold
    from fleet.wanted import Kind, Wanted


def no_word() -> None:
    """Nobody wants the deployment in the meantime."""


def to_people() -> Progress:
    """Progress on standard error."""
    return Progress(Console(stderr=True))


@dataclass
class Site:
    """Where actions happen: the cloud, the names, and what they need from the file."""

    cloud: Cloud
    names: Names
    wanted: Wanted | None = None
    progress: Progress = field(default_factory=to_people)
    run: Run = field(default_factory=Run)
    check: Callable[[], None] = no_word
    known: tuple[LoadBalancer, ...] | None = None
    """The deployment's load balancers, where they stay as they are."""

    def holding(self, hold: Hold) -> Site:
        """The same site with the lock held."""
        return Site(self.cloud, self.names, self.wanted, self.progress, self.run, hold.check)

    def with_balancers(self) -> Site:
        """The same site for what leaves the load balancers as they are: AWS is asked for them once."""
        return replace(self, known=self.balancers())

    @property
    def need(self) -> Wanted:
        """What the file wants, without which nothing is made."""
        if self.wanted is None:
            raise AssertionError("an action that makes something without a deployment file")
        return self.wanted

    def balancers(self, only: Sequence[str] | None = None) -> tuple[LoadBalancer, ...]:
        """The deployment's load balancers, all or those of these names."""
        found = lb.ours(self.cloud, self.names.deployment) if self.known is None else self.known
        return tuple(one for one in found if only is None or one.name in only)

    def watch(self) -> service.Watch:
        """What a wait for service goes by."""

        def desired() -> Mapping[str, int]:
            found = scaling_groups.described(self.cloud, self.names.deployment)
            return {name: one.desired for name, one in found.items()}

        scaled = any(kind.scaling for kind in self.need.kinds)
        return service.Watch(self.cloud, self.need, self.balancers(), desired if scaled else dict)


def act(site: Site, actions: Sequence[Action], changed: list[str]) -> None:
    """Carry out actions in order and add to `changed` what was, in words; `check` may end it before each.

    Where nodes were waited for and do not all serve, nothing is taken away: the same plan again goes on.
    """
    served, leaving = True, {node for one in actions if isinstance(one, Removal) for node in one.ending}
    for one in actions:
        site.check()
        if not served and _takes_away(one):
            site.progress.note(f"not yet: {one.sign} {one.what}")
            continue
        with site.progress.phase(f"{one.sign} {one.what}"):
            outcome = _HANDLERS[type(one)](site, one)
        if isinstance(outcome, Look):
            served = outcome.serves_without(leaving)
        if one.sign != "…":
            changed.append(str(one))


def _takes_away(one: Action) -> bool:
    """Whether something that may serve goes, or a name leaves it."""
    return isinstance(one, Removal) or (isinstance(one, PointName) and one.before != "")


def _put_role(site: Site, one: PutRole) -> None:
    if one.new:
        roles.make(site.cloud, one.role, site.need.tags)
    else:
        roles.change(site.cloud, one.role)


def _put_group(site: Site, one: PutGroup) -> None:
    if one.new:
        groups.make(site.cloud, one.group, site.need.ground.vpc_id, site.need.tags)
    found = groups.described(site.cloud, site.names.deployment)
    ids = {name: there.id for name, there in found.items()}
    groups.change(site.cloud, ids[one.group.name], one.opened, one.closed, ids)


def _put_balancer(site: Site, one: PutBalancer) -> None:
    found = groups.described(site.cloud, site.names.deployment)
    lb.ensure(site.cloud, wanted_balancer(site.need, one.balancer, found))


def _put_template(site: Site, one: PutTemplate) -> None:
    kind, found = one.kind, groups.described(site.cloud, site.names.deployment)
    inputs = node_inputs(site, kind)
    data = launch_templates.data(kind, site.need.tags, site.names.of(), [found[kind.group].id], inputs)
    launch_templates.put(site.cloud, kind, site.names, site.need.tags, data, one.there)


def node_inputs(site: Site, kind: Kind) -> dict[str, str]:
    """What a node is told besides the file's inputs: its load balancers, and how many nodes there are.

    A node of an auto scaling group is registered by the group.
    """
    behind = site.balancers(service.balancers_of(site.need, kind.name)) if kind.template.balancers else ()
    classic = [one.name for one in behind if one.kind == "classic"]
    targets = [one.target_group_arn for one in behind if one.kind != "classic"]
    size = sum(one.template.count for one in site.need.kinds)
    return {
        "CLASSIC_LOAD_BALANCERS": array(*classic) if classic else "ignore",
        "TARGET_GROUPS": array(*targets) if targets else "ignore",
        "DEPLOYMENT_SIZE": f"text:{max(size, 1)}",
    }


def _launch(site: Site, one: Launch) -> None:
    template = launch_templates.described(site.cloud, site.names.deployment)[one.kind.name]
    token = f"{site.run.id} {one.kind.name}"
    launching.launch(site.cloud, template, site.need.ground, dict(one.zones), token, site.progress.note)


def _put_scaling(site: Site, one: PutScaling) -> None:
    template = launch_templates.described(site.cloud, site.names.deployment)[one.kind.name]
    names = service.balancers_of(site.need, one.kind.name)
    behind = site.balancers(names)
    scaling_groups.put(
        site.cloud, site.need, one.kind, template, behind, one.there, one.desired, one.grace.seconds
    )
    # One that is to go is left to its removal: until the name points elsewhere, it serves.
    wanted = {site.names.short(each.name) for each in site.need.deployment.balancers}
    scaling_groups.detach(site.cloud, one.kind.name, site.names, site.balancers(sorted(wanted - set(names))))


def _await_service(site: Site, _: AwaitService) -> Look:
    return service.until_up(site.watch(), site.progress.note, site.check)


def _point(site: Site, one: PointName) -> None:
    deployment = site.need.deployment
    if deployment.dns is None:
        raise AssertionError(f"{one.name} is in no file")
    found = names_in_route53.described(site.cloud, site.names.deployment, deployment.dns)
    zone = names_in_route53.need_zone(found, deployment.dns)
    (balancer,) = site.balancers([site.names.short(one.balancer)])
    names_in_route53.point(site.cloud, zone.zone_id, deployment.dns, balancer)


def _put_alarm(site: Site, one: PutAlarm) -> None:
    behind = site.balancers([site.names.short(one.alarm.balancer)]) if one.alarm.balancer else ()
    alarms.put(site.cloud, one.alarm, site.names, behind[0] if behind else None, site.need.tags)


def _remove_balancer(site: Site, one: RemoveBalancer) -> None:
    """A group would try for ever to register its nodes with one that is gone."""
    for template in scaling_groups.described(site.cloud, site.names.deployment):
        scaling_groups.detach(site.cloud, template, site.names, [one.there])
    lb.delete(site.cloud, one.there)


def _terminate(site: Site, one: Terminate) -> None:
    if not one.at_once:
        resting.drain(site.cloud, site.balancers(), one.ids)
    resting.terminate(site.cloud, one.ids, site.check)


def _stop(site: Site, one: Stop) -> None:
    resting.drain(site.cloud, site.balancers(), one.ids)
    resting.stop(site.cloud, one.ids, site.check)


_HANDLERS: dict[type[Action], Callable[[Site, Any], object]] = {
    MakeBucket: lambda site, one: bucket.make(site.cloud, one.name, site.need.tags),
    PutSample: lambda site, one: bucket.put_sample(site.cloud, one.bucket, one.key),
    MakeKey: lambda site, _: login_key.make(site.cloud, site.names, site.need.tags),
    PutRole: _put_role,
    PutGroup: _put_group,
    PutBalancer: _put_balancer,
    PutTemplate: _put_template,
    Launch: _launch,
    Start: lambda site, one: resting.start(site.cloud, one.ids, site.check),
    Stop: _stop,
    AwaitService: _await_service,
    PutScaling: _put_scaling,
    MakeZone: lambda site, one: names_in_route53.make_zone(site.cloud, one.zone, site.need.tags),
    PointName: _point,
    PutAlarm: _put_alarm,
    Terminate: _terminate,
    RemoveScaling: lambda site, one: scaling_groups.remove(site.cloud, one.there.name, at_once=one.at_once),
    RemoveName: lambda site, one: names_in_route53.forget(site.cloud, one.zone_id, one.name),
    RemoveZone: lambda site, one: names_in_route53.remove_zone(site.cloud, one.zone_id),
    RemoveAlarms: lambda site, one: alarms.remove(site.cloud, one.names),
    RemoveBalancer: _remove_balancer,
    RemoveTemplate: lambda site, one: launch_templates.remove(site.cloud, one.there),
    RemoveGroups: lambda site, one: groups.remove(site.cloud, one.groups),
    RemoveRole: lambda site, one: roles.remove(site.cloud, one.name),
    RemoveKey: lambda site, _: login_key.remove(site.cloud, site.names),
    RemoveBucket: lambda site, one: bucket.remove(site.cloud, one.name),
}
