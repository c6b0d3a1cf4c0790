"""CloudWatch's metric alarms, judged over what was put into moto, with a history, and acted upon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localcloud.alarms import ALARM, INSUFFICIENT, Rule, Verdict, judge, span
from localcloud.cloudwatch import statistic
from localcloud.hooks import add, replace
from localcloud.metrics import key_of

_EVERY_SECONDS = 5.0
_FIRST_REASON = "Unchecked: Initial alarm creation"
_LONGEST_HISTORY = 100

Act = Callable[[Any, str, float, float], None]
"""Does what an alarm's action says: the alarm, the action's ARN, its latest value, the time."""


class AlarmWatch:
    """All metric alarms. `act` is called at every judgement, as CloudWatch does with scaling policies."""

    def __init__(self, backends: Callable[[], Iterable[Any]], act: Act) -> None:
        self._backends = backends
        self._act = act
        self._due = 0.0

    def tick(self, now: float) -> bool:
        """Judge all alarms when it is time. Returns whether one changed its state."""
        if now < self._due:
            return False
        self._due = now + _EVERY_SECONDS
        changed = False
        for backend in self._backends():
            alarms = [one for one in list(backend.alarms.values()) if one.rule is None and one.metric_name]
            for alarm in alarms:
                verdict = judge(rule_of(alarm), values_of(backend, alarm, now), alarm.state_value, now)
                if not _set_by_hand(alarm, now):
                    changed |= note(alarm, verdict)
                self._follow(alarm, verdict, now)
        return changed

    def ringing(self) -> tuple[str, ...]:
        """The names of the alarms in state ALARM."""
        return tuple(
            one.name
            for backend in self._backends()
            for one in list(backend.alarms.values())
            if one.state_value == ALARM
        )

    def _follow(self, alarm: Any, verdict: Verdict, now: float) -> None:
        if not alarm.actions_enabled:
            return
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
        value = verdict.points[-1][1] if verdict.points else alarm.threshold
        for arn in actions.get(alarm.state_value, alarm.insufficient_data_actions):
            self._act(alarm, str(arn), float(value), now)


def install(clock: Callable[[], float] = time.time) -> None:
    """Let an alarm begin with insufficient data, keep its state when it is put again, and have a history."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def put_metric_alarm(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            before = self.alarms.get(name)
            alarm = original(self, name, *args, **kwargs)
            alarm.state_value, alarm.state_reason = INSUFFICIENT, _FIRST_REASON
            if before is not None:
                alarm.state_value, alarm.state_reason = before.state_value, before.state_reason
                alarm.state_reason_data, alarm.history = before.state_reason_data, before.history
                alarm.state_updated_timestamp = before.state_updated_timestamp
            return alarm

        return put_metric_alarm

    def wrap_by_hand(original: Callable[..., Any]) -> Callable[..., Any]:
        def set_alarm_state(
            self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
        ) -> None:
            original(self, alarm_name, reason, reason_data, state_value)
            # The next judgement of CloudWatch's own comes with the next period, and takes it back.
            self.alarms[alarm_name].set_by_hand = clock()

        return set_alarm_state

    def wrap_listing(original: Callable[..., Any]) -> Callable[..., Any]:
        def describe_alarms(response: Any) -> Any:
            """All that is asked for must hold; moto goes by the first alone."""
            answer, state = original(response), response._get_param("StateValue")
            for alarms in answer.result.values():
                alarms[:] = [one for one in alarms if state in (None, one.state_value)]
            return answer

        return describe_alarms

    replace("moto.cloudwatch.responses:CloudWatchResponse.describe_alarms", wrap_listing)
    replace("moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm", wrap)
    replace("moto.cloudwatch.models:CloudWatchBackend.set_alarm_state", wrap_by_hand)
    add("moto.cloudwatch.responses:CloudWatchResponse.describe_alarm_history", _describe_history)


def rule_of(alarm: Any) -> Rule:
    """The rule of one of moto's alarms."""
    periods = int(alarm.evaluation_periods or 1)
    return Rule(
        alarm.comparison_operator,
        float(alarm.threshold),
        float(alarm.period or 60),
        periods,
        int(alarm.datapoints_to_alarm or periods),
        alarm.statistic or alarm.extended_statistic or "Average",
        alarm.treat_missing_data or "missing",
    )


def values_of(backend: Any, alarm: Any, now: float) -> Mapping[float, float]:
    """The statistic of an alarm's metric, with just its dimensions, by the beginnings of periods."""
    rule = rule_of(alarm)
    key = key_of(alarm.namespace, alarm.metric_name, [(one.name, one.value) for one in alarm.dimensions])
    start, end = span(rule, now)
    found = statistic(backend, key, rule.statistic, start, end, int(rule.period), alarm.unit or "")
    return {float(begin): value for begin, value in found.items()}


def note(alarm: Any, verdict: Verdict) -> bool:
    """Set an alarm's state where it differs. Returns whether it did."""
    if alarm.state_value == verdict.state:
        return False
    data = {
        "version": "1.0",
        "statistic": alarm.statistic,
        "period": alarm.period,
        "recentDatapoints": [value for _, value in verdict.points],
        "threshold": alarm.threshold,
    }
    before = alarm.state_value
    alarm.update_state(verdict.reason, json.dumps(data), verdict.state)
    alarm.history[-1] = (*alarm.history[-1][:5], before, verdict.state, verdict.reason)
    del alarm.history[:-_LONGEST_HISTORY]
    return True


def _set_by_hand(alarm: Any, now: float) -> bool:
    return now - float(getattr(alarm, "set_by_hand", 0.0)) < float(alarm.period or 60)


def _describe_history(response: Any) -> Any:
    from moto.core.responses import ActionResult

    name, kind = response._get_param("AlarmName"), response._get_param("HistoryItemType")
    found = [
        _history_item(alarm, item)
        for alarm in response.cloudwatch_backend.alarms.values()
        if name in (None, alarm.name) and kind in (None, "StateUpdate")
        for item in alarm.history
        if len(item) == 8
    ]
    found.sort(key=lambda item: str(item["Timestamp"]), reverse=True)
    return ActionResult({"AlarmHistoryItems": found[: int(response._get_param("MaxRecords") or 100)]})


def _history_item(alarm: Any, item: tuple[Any, ...]) -> dict[str, Any]:
    before, after, reason = item[5:]
    return {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": item[4],
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {before} to {after}",
        "HistoryData": json.dumps({"newState": {"stateValue": after, "stateReason": reason}}),
    }
