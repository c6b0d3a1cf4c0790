"""Auto Scaling put in the place of moto's, which launches and ends by itself and at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from localcloud.hooks import replace
from localcloud.refresh_api import RefreshActions
from localcloud.scaling import Scaling
from localcloud.scaling_api import MemberActions
from localcloud.scaling_calls import answer_also, answer_instead
from localcloud.scaling_groups_api import GroupActions

_GROUP = "moto.autoscaling.models:FakeAutoScalingGroup"
_BACKEND = "moto.autoscaling.models:AutoScalingBackend"


def install(
    scaling: Scaling, record_of: Callable[[str], Any], clock: Callable[[], float] = time.time
) -> None:
    """Let moto keep the records of groups, and the loop alone act upon them."""

    def only_note(self: Any, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity

    def leave_it(*_: Any, **__: Any) -> None:
        """The loop sees to it."""

    replace(f"{_GROUP}.set_desired_capacity", lambda _: only_note)
    for name in ("update_attached_elbs", "update_attached_target_groups", "notify_terminate_instances"):
        replace(f"{_BACKEND}.{name}", lambda _: leave_it)
    groups, members = GroupActions(clock), MemberActions(clock)
    refreshes = RefreshActions(clock, record_of)
    answer_instead(
        scaling.lock,
        (
            groups.create_auto_scaling_group, groups.update_auto_scaling_group,
            groups.delete_auto_scaling_group, groups.set_desired_capacity,
            groups.attach_load_balancers, groups.detach_load_balancers,
            groups.attach_load_balancer_target_groups, groups.detach_load_balancer_target_groups,
            groups.put_warm_pool,
            members.describe_scaling_activities, members.describe_auto_scaling_instances,
            members.put_lifecycle_hook, members.set_instance_health,
            members.terminate_instance_in_auto_scaling_group,
            members.enter_standby, members.exit_standby, members.attach_instances, members.detach_instances,
        ),
    )  # fmt: skip
    answer_also(
        scaling.lock,
        (
            members.complete_lifecycle_action, members.record_lifecycle_action_heartbeat,
            refreshes.start_instance_refresh, refreshes.describe_instance_refreshes,
            refreshes.cancel_instance_refresh, refreshes.rollback_instance_refresh,
        ),
    )  # fmt: skip
