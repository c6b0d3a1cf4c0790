"""The end of a deployment, as ordered actions: nothing goes before what holds on to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.node_actions import RemoveScaling, Terminate
from fleet.plan import Plan
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

if TYPE_CHECKING:
    from fleet.actions import Action
    from fleet.actual import Actual
    from fleet.deployment import Deployment
    from fleet.naming import Names

_WHY = "the deployment goes"


def teardown(deployment: Deployment, names: Names, actual: Actual) -> Plan:
    """Everything that the deployment owns, the name first and what machines hold on to last."""
    actions = (*_name(deployment, actual), *_nodes(actual), *_rest(names, actual), *_zone(deployment, actual))
    return Plan(names.deployment, actions)


def _name(deployment: Deployment, actual: Actual) -> Iterator[Action]:
    """The record, if it leads to the deployment: somebody else's at this name stays."""
    if deployment.dns is None or actual.name is None or actual.name.record is None:
        return
    targets = {one.dns_name.lower() for one in actual.balancers}
    if actual.name.record.target in targets or actual.name.ours:
        yield RemoveName(actual.name.zone_id, deployment.dns.name)


def _nodes(actual: Actual) -> Iterator[Action]:
    if actual.alarms:
        yield RemoveAlarms(tuple(sorted(actual.alarms)))
    yield from (RemoveScaling(one, at_once=True) for one in actual.scaling.values())
    for template in dict.fromkeys(one.template for one in actual.nodes):
        ids = tuple(one.id for one in actual.nodes if one.template == template)
        yield Terminate(template, ids, _WHY, at_once=True)


def _rest(names: Names, actual: Actual) -> Iterator[Action]:
    yield from map(RemoveBalancer, actual.balancers)
    yield from map(RemoveTemplate, actual.templates.values())
    if actual.groups:
        yield RemoveGroups(tuple(actual.groups.values()))
    yield from map(RemoveRole, sorted(actual.roles))
    if actual.key:
        yield RemoveKey(names.of())
    if actual.bucket:
        yield RemoveBucket(actual.bucket)


def _zone(deployment: Deployment, actual: Actual) -> Iterator[Action]:
    if deployment.dns and actual.name and actual.name.ours:
        yield RemoveZone(actual.name.zone_id, deployment.dns.zone)
