"""A call of Auto Scaling's API as our actions see it, and how they are put in moto's place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

from localcloud.hooks import add, replace
from localcloud.pages import page
from localcloud.scaling_records import GroupMember
from localcloud.scaling_view import member_of

RESPONSE = "moto.autoscaling.responses:AutoScalingResponse"

T = TypeVar("T")


class ScalingCall:
    """The parameters of one call, by their names in the API."""

    def __init__(self, response: Any) -> None:
        self.backend: Any = response.autoscaling_backend
        self._response = response

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A parameter as the API's model types it."""
        value = self._response._get_param(name)
        return otherwise if value is None else value

    def text(self, name: str) -> str:
        """A text, empty when it is not given."""
        return str(self.get(name, ""))

    def number(self, name: str) -> int | None:
        """A whole number, None when it is not given."""
        value = self.get(name)
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        """A switch, off when it is not given."""
        return str(self.get(name, "false")).lower() == "true"

    @property
    def group(self) -> Any:
        """The group that the call names. Refuses one that is not there."""
        name = self.text("AutoScalingGroupName")
        group = self.backend.autoscaling_groups.get(name)
        if group is None:
            raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return group

    def member(self, instance_id: str) -> tuple[Any, GroupMember]:
        """An instance's group and its membership in it. Refuses one that is in none."""
        for group in self.backend.autoscaling_groups.values():
            member = member_of(group, instance_id)
            if member is not None:
                return group, member
        raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")

    def members(self, group: Any) -> list[GroupMember]:
        """The members of a group that the call names. Refuses one that is not in the group."""
        found = []
        for instance_id in self.get("InstanceIds", []):
            member = member_of(group, instance_id)
            if member is None:
                raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
            found.append(member)
        return found

    def page(self, items: Sequence[T], most: int) -> tuple[list[T], str | None]:
        """One page of items in their order, and the next one's token."""
        numbered = list(enumerate(items))
        size = min(self.number("MaxRecords") or most, most)
        shown, following = page(numbered, lambda item: f"{item[0]:09d}", size, self.text("NextToken"))
        return [item for _, item in shown], following or None


Action = Callable[[ScalingCall], dict[str, Any] | None]


def invalid(message: str) -> Exception:
    """Auto Scaling's ValidationError, to be raised."""
    return refusal("ValidationError", message)


def refusal(code: str, message: str) -> Exception:
    """An error of Auto Scaling's, to be raised."""
    from moto.autoscaling.exceptions import AutoscalingClientError

    error: Exception = AutoscalingClientError(code, message)
    return error


def answer_instead(lock: AbstractContextManager[Any], actions: Iterable[Action]) -> None:
    """Let actions answer in place of moto's of the same names."""
    for action in actions:
        replace(f"{RESPONSE}.{_name(action)}", partial(_instead, _answered(lock, action)))


def answer_also(lock: AbstractContextManager[Any], actions: Iterable[Action]) -> None:
    """Let actions answer the calls of the same names, which moto does not answer."""
    for action in actions:
        add(f"{RESPONSE}.{_name(action)}", _answered(lock, action))


def _answered(lock: AbstractContextManager[Any], action: Action) -> Callable[[Any], Any]:
    def method(response: Any) -> Any:
        from moto.core.responses import ActionResult, EmptyResult

        with lock:
            result = action(ScalingCall(response))
        return EmptyResult() if result is None else ActionResult(result)

    return method


def _name(action: Action) -> str:
    return str(action.__name__)


def _instead(method: Callable[[Any], Any], _: Callable[..., Any]) -> Callable[[Any], Any]:
    return method
