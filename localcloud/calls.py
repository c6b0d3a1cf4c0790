"""A call of EC2's API as our actions see it: its parameters, and how its answer is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from localcloud.hooks import add, replace
from localcloud.refusals import refuse_unless

Action = Callable[["Call"], dict[str, Any] | None]

RESPONSE = "moto.ec2.responses:EC2Response"


class Call:
    """The parameters of one call. Names are those of the API, in CamelCase."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.region: str = response.region
        self.backend: Any = response.ec2_backend

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A parameter as the API's model types it."""
        value = self._response._get_param(name)
        return otherwise if value is None else value

    def text(self, name: str) -> str:
        """A text, empty when it is not given."""
        return str(self.get(name, ""))

    def flag(self, name: str) -> bool:
        """A switch, off when it is not given."""
        return str(self.get(name, "false")).lower() == "true"

    def number(self, name: str) -> int | None:
        """A whole number, None when it is not given."""
        value = self.get(name)
        return None if value is None else int(value)

    def filters(self) -> dict[str, Sequence[str]]:
        """The call's filters by name."""
        given: dict[str, Sequence[str]] = self._response._filters_from_querystring()
        return given

    def tags(self, *kinds: str) -> dict[str, dict[str, str]]:
        """The tags that the call specifies for each of the kinds of things it makes."""
        found: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
        for specification in self.get("TagSpecifications", []):
            kind = specification.get("ResourceType", "")
            refuse_unless(
                kind in found,
                "InvalidParameterValue",
                f"'{kind}' is not a valid taggable resource type for this operation.",
            )
            found[kind] |= {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])}
        return found

    def refuse_dry_run(self) -> None:
        """Refuse a call that only asks whether it would be allowed."""
        self._response.error_on_dryrun()


def answer(lock: threading.RLock, action: Action) -> Callable[[Any], Any]:
    """A method for moto's response class that answers a call by an action, one at a time."""

    def method(response: Any) -> Any:
        from moto.core.responses import ActionResult, EmptyResult

        call = Call(response)
        call.refuse_dry_run()
        with lock:
            result = action(call)
        return EmptyResult() if result is None else ActionResult(result)

    return method


def answer_instead(lock: threading.RLock, home: str, actions: Iterable[Action]) -> None:
    """Let actions answer in place of the methods of the same names in a response class of moto's."""
    for action in actions:
        replace(f"{home}.{_name(action)}", partial(_instead, answer(lock, action)))


def answer_also(lock: threading.RLock, actions: Iterable[Action]) -> None:
    """Let actions answer the calls of the same names, which moto does not answer."""
    for action in actions:
        add(f"{RESPONSE}.{_name(action)}", answer(lock, action))


def _name(action: Action) -> str:
    return str(action.__name__)


def _instead(method: Callable[[Any], Any], _: Callable[..., Any]) -> Callable[[Any], Any]:
    return method
