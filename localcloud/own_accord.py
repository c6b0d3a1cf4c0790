"""What acts of its own accord, put together: CPU metrics, interruptions, alarms, Auto Scaling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from localcloud import alarm_watch, policies, route53_hooks, scaling_install
from localcloud import cloudwatch as metrics
from localcloud.alarm_watch import AlarmWatch
from localcloud.interruptions import Interruptions
from localcloud.loop import Loop, Work
from localcloud.policies import PolicyActions
from localcloud.roster import Roster
from localcloud.scaling import Scaling
from localcloud.scaling_calls import answer_instead
from localcloud.site import ACCOUNT, Site


@contextmanager
def running(
    works: Sequence[Work],
    instances: Roster,
    passing: Callable[[], AbstractContextManager[None]],
    notice: Callable[[str], None],
) -> Iterator[None]:
    """Let it act while the block runs; it must end before the machines do, or it would replace them."""
    loop = Loop(works, passing, instances.changed, notice)
    instances.follow(loop.wake)
    with loop.running():
        yield


def install(site: Site, instances: Roster) -> list[Work]:
    """Hook it all into moto. Returns what is to be done in turn."""
    from moto.autoscaling.models import autoscaling_backends
    from moto.cloudwatch.models import cloudwatch_backends

    def groups() -> Any:
        return autoscaling_backends[ACCOUNT][site.region]

    def cloudwatch() -> Any:
        return cloudwatch_backends[ACCOUNT][site.region]

    if not site.bodies:
        metrics.install()  # else load balancers bring it
    watch = AlarmWatch(lambda: [cloudwatch()], act_upon(groups))
    scaling = Scaling(lambda: [groups()], instances.record, watch.ringing)
    hook(scaling, instances, cloudwatch)
    route53_hooks.install()
    interruptions = Interruptions(instances)
    return [*_measuring(site, instances, cloudwatch), interruptions.tick, watch.tick, scaling.tick]


def hook(
    scaling: Scaling,
    instances: Roster,
    cloudwatch: Callable[[], Any],
    clock: Callable[[], float] = time.time,
) -> None:
    """Put Auto Scaling, its policies and CloudWatch's alarms in moto's place."""
    scaling_install.install(scaling, instances.record, clock)
    alarm_watch.install(clock)
    policies.install()
    actions = PolicyActions(clock, cloudwatch)
    answer_instead(scaling.lock, (actions.put_scaling_policy, actions.delete_policy, actions.execute_policy))


def act_upon(groups: Callable[[], Any]) -> alarm_watch.Act:
    """What an alarm's action does: a scaling policy's is followed, others are nobody's here."""

    def act(alarm: Any, arn: str, value: float, now: float) -> None:
        if ":scalingPolicy:" in arn:
            policies.follow_alarm(groups(), alarm, arn, value, now)

    return act


def _measuring(site: Site, instances: Roster, cloudwatch: Any) -> list[Work]:
    if not site.bodies:
        return []
    from localcloud.cgroups import ControlGroup
    from localcloud.cpu import CpuMetrics
    from localcloud.instances import size_of

    def vcpus(instance_type: str) -> int:
        size = size_of(instance_type)
        return size.vcpus if size else 1

    return [CpuMetrics(ControlGroup.of(site).path, instances, cloudwatch, vcpus).tick]
