"""Rules of application load balancers: from what the API takes to what is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from localcloud.lb_model import Action, Answer, Condition, Forward, Redirect, Rule

_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_NOTHING_TO_DO = Answer(503, body="")


def rules(recorded: Iterable[Any], names: Mapping[str, str]) -> Iterator[Rule]:
    """The rules by priority. `names` are the names of target groups by ARN."""
    for rule in sorted(recorded, key=lambda one: int(one.priority)):
        yield Rule(tuple(map(_condition, rule.conditions)), action(rule.actions, names))


def action(recorded: Iterable[Any], names: Mapping[str, str]) -> Action:
    """What is done with a request in the end: the last action, which those before it only prepare."""
    actions = list(recorded)
    if not actions:
        return _NOTHING_TO_DO
    data = actions[-1].data
    match data["Type"]:
        case "fixed-response":
            config = data["FixedResponseConfig"]
            kind = config.get("ContentType") or "text/plain"
            return Answer(int(config["StatusCode"]), kind, config.get("MessageBody") or "")
        case "redirect":
            return _redirect(data["RedirectConfig"])
        case _:
            return _forward(data, names)


def _forward(data: Mapping[str, Any], names: Mapping[str, str]) -> Action:
    groups = data.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": data["TargetGroupArn"]}]
    pools = [(names[one["TargetGroupArn"]], int(one.get("Weight") or 0)) for one in groups]
    if len(pools) == 1:
        pools = [(pools[0][0], 1)]
    return Forward(tuple(pools)) if any(weight for _, weight in pools) else _NOTHING_TO_DO


def _redirect(config: Mapping[str, Any]) -> Redirect:
    parts = {
        name: config[name.title()]
        for name in ("protocol", "host", "port", "path", "query")
        if config.get(name.title())
    }
    return Redirect(int(config["StatusCode"].removeprefix("HTTP_")), **parts)


def _condition(recorded: Mapping[str, Any]) -> Condition:
    field = recorded["Field"]
    config = recorded.get(_CONFIGS[field]) or {}
    values = config.get("Values") or recorded.get("Values") or []
    if field == "query-string":
        values = [_query(one) for one in values]
    return Condition(field, tuple(map(str, values)), str(config.get("HttpHeaderName", "")))


def _query(value: Mapping[str, str]) -> str:
    key = f"{value['Key']}=" if value.get("Key") else "*="
    return f"*{key}{value['Value']}*"
