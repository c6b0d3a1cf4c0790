"""This node in a target group of an application or network load balancer."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.api import TARGETS, Api, members
from bootstrap.errors import ApiError, RegistrationError
from bootstrap.registration_sight import SETTLING_SECONDS, Pace, Sight

# A network load balancer takes this long to begin with its health checks.
_NETWORK_SECONDS = 180.0
_NETWORK_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP")
_DEFAULT_DELAY_SECONDS = 300.0


@dataclass(frozen=True)
class TargetGroup:
    """See Balancer."""

    api: Api
    arn: str
    instance_id: str

    @property
    def name(self) -> str:
        """See Balancer."""
        parts = self.arn.rpartition(":")[2].split("/")
        return parts[1] if len(parts) > 1 else self.arn

    @property
    def known_as(self) -> str:
        """See Balancer."""
        return self.arn

    def look(self) -> Sight:
        """See Balancer."""
        try:
            found = self.api.query(TARGETS, "DescribeTargetHealth", self._me())
        except ApiError as why:
            if why.code in ("TargetGroupNotFound", "ValidationError"):
                raise RegistrationError(
                    f"there is no target group {self.arn} in {self.api.region}",
                    "correct the input TARGET_GROUPS, or create it: invoke lb.create",
                ) from why
            if why.code == "InvalidTarget":
                return Sight(registered=False, text=str(why))
            raise
        health = found.find(".//TargetHealth")
        if health is None:
            return Sight(registered=False)
        return _sight(*(health.findtext(each, "") for each in ("State", "Reason", "Description")))

    def register(self) -> None:
        """See Balancer."""
        self.api.query(TARGETS, "RegisterTargets", self._me())

    def deregister(self) -> None:
        """See Balancer."""
        self.api.query(TARGETS, "DeregisterTargets", self._me())

    def joining(self) -> Pace:
        """See Balancer."""
        asked = members("TargetGroupArns", [self.arn])
        found = self.api.query(TARGETS, "DescribeTargetGroups", asked)
        threshold = float(found.findtext(".//HealthyThresholdCount") or 5)
        interval = float(found.findtext(".//HealthCheckIntervalSeconds") or 30)
        timeout = float(found.findtext(".//HealthCheckTimeoutSeconds") or 5)
        begin = _NETWORK_SECONDS if found.findtext(".//Protocol") in _NETWORK_PROTOCOLS else 0.0
        return Pace(threshold * (interval + timeout) + begin + SETTLING_SECONDS, interval)

    def draining_seconds(self) -> float:
        """See Balancer."""
        asked = {"TargetGroupArn": self.arn}
        found = self.api.query(TARGETS, "DescribeTargetGroupAttributes", asked)
        for one in found.iter("member"):
            if one.findtext("Key") == "deregistration_delay.timeout_seconds":
                return float(one.findtext("Value") or _DEFAULT_DELAY_SECONDS)
        return _DEFAULT_DELAY_SECONDS

    def _me(self) -> dict[str, str]:
        return {"TargetGroupArn": self.arn, **members("Targets", [self.instance_id], "Id")}


def _sight(state: str, reason: str, text: str) -> Sight:
    if state == "unused" and reason in ("", "Target.NotRegistered"):
        return Sight(registered=False, text=text)
    said = " ".join(filter(None, (state, reason, text)))
    return Sight(registered=True, in_service=state == "healthy", leaving=state == "draining", text=said)
