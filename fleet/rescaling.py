"""The number of a template's nodes, changed by hand."""

from __future__ import annotations

from dataclasses import replace

from fleet import launch_templates, scaling_groups
from fleet.act import act
from fleet.actual import describe
from fleet.command import Desk, at_work, told
from fleet.errors import DeploymentError, NotThere
from fleet.outcome import Done
from fleet.plan import Plan, count_of, plan
from fleet.service import until_up


def scale(desk: Desk, template: str, count: int) -> Done | Plan:
    """Have so many nodes of a template, whatever the file says, until the file says another number."""
    site = desk.resolved()
    if template not in {kind.name for kind in site.need.kinds}:
        known = ", ".join(kind.name for kind in site.need.kinds)
        raise NotThere(f"the file has no template {template!r}", f"it has {known}")
    kind, actual = site.need.kind(template), describe(desk.cloud, site.need)
    there = actual.templates.get(template)
    if there is None:
        raise NotThere(f"{site.names.deployment} is not up", "`invoke fleet.up` brings it up")
    if kind.scaling:
        return _resize(desk, actual.scaling[template], count, kind.scaling.least, kind.scaling.most)
    asked = replace(
        actual, templates={**actual.templates, template: _asked(there, kind.template.count, count)}
    )
    first = plan(site.need, asked)
    if desk.dry_run:
        return first
    if not first.actions and count_of(kind, actual) == count:
        return Done(first.deployment, (), site.watch().look().standings)
    changed: list[str] = []
    with at_work(desk, changed) as held:
        launch_templates.remember_scale(desk.cloud, there, kind.template.count, count)
        changed.append(f"~ {template}: {count} nodes are wanted")
        act(held, plan(held.need, describe(desk.cloud, held.need)).actions, changed)
        look = until_up(held.watch(), held.progress.note, held.check)
    return told(desk, changed, look)


def _asked(there: launch_templates.ActualTemplate, base: int, count: int) -> launch_templates.ActualTemplate:
    return replace(there, scaled="" if base == count else f"{base}->{count}")


def _resize(
    desk: Desk, there: scaling_groups.ActualScaling, count: int, least: int, most: int
) -> Done | Plan:
    if not least <= count <= most:
        raise DeploymentError(
            f"{desk.deployment.path}: [scaling] admits {least} to {most} nodes, not {count}",
            "change `min` or `max` in the file, then `invoke fleet.up`",
        )
    what = f"~ {there.name}: {count} nodes are wanted"
    if desk.dry_run:
        return Plan(desk.site.names.deployment, (), () if there.desired == count else (what,))
    look = desk.site.watch().look()
    if there.desired == count and look.all_up:
        return Done(desk.site.names.deployment, (), look.standings)
    changed: list[str] = []
    with at_work(desk, changed) as held:
        if there.desired != count:
            scaling_groups.resize(desk.cloud, there.name, count)
            changed.append(what)
        look = until_up(held.watch(), held.progress.note, held.check)
    return told(desk, changed, look)
