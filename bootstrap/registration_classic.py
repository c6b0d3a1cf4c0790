"""This node in a classic load balancer."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.api import CLASSIC, Api, members
from bootstrap.errors import ApiError, RegistrationError
from bootstrap.registration_sight import SETTLING_SECONDS, Pace, Sight

_DRAINING = "deregistration currently in progress"
_STRANGER = "not currently registered"


@dataclass(frozen=True)
class ClassicLoadBalancer:
    """See Balancer."""

    api: Api
    name: str
    instance_id: str

    @property
    def known_as(self) -> str:
        """See Balancer."""
        return self.name

    def look(self) -> Sight:
        """See Balancer."""
        try:
            found = self.api.query(CLASSIC, "DescribeInstanceHealth", self._me())
        except ApiError as why:
            if why.code == "InvalidInstance":  # that is how it says that it does not know the node
                return Sight(registered=False, text=str(why))
            if "LoadBalancerNotFound" in why.code or why.code == "AccessPointNotFound":
                raise RegistrationError(
                    f"there is no classic load balancer {self.name} in {self.api.region}",
                    "correct the input CLASSIC_LOAD_BALANCERS, or create it: invoke lb.create",
                ) from why
            raise
        for one in found.iter("member"):
            if one.findtext("InstanceId") == self.instance_id:
                return _sight(one.findtext("State", ""), one.findtext("Description", ""))
        return Sight(registered=False)

    def register(self) -> None:
        """See Balancer."""
        self.api.query(CLASSIC, "RegisterInstancesWithLoadBalancer", self._me())

    def deregister(self) -> None:
        """See Balancer."""
        self.api.query(CLASSIC, "DeregisterInstancesFromLoadBalancer", self._me())

    def joining(self) -> Pace:
        """See Balancer."""
        asked = members("LoadBalancerNames", [self.name])
        check = self.api.query(CLASSIC, "DescribeLoadBalancers", asked).find(".//HealthCheck")
        if check is None:
            return Pace(SETTLING_SECONDS, SETTLING_SECONDS)
        number = {each.tag: float(each.text or 0) for each in check if each.tag != "Target"}
        interval, times = number["Interval"], number["HealthyThreshold"]
        budget = times * (interval + number["Timeout"]) + SETTLING_SECONDS
        return Pace(budget, interval, soonest_seconds=(times - 1) * interval)

    def draining_seconds(self) -> float:
        """See Balancer."""
        asked = {"LoadBalancerName": self.name}
        found = self.api.query(CLASSIC, "DescribeLoadBalancerAttributes", asked).find(".//ConnectionDraining")
        if found is None or found.findtext("Enabled") != "true":
            return 0.0
        return float(found.findtext("Timeout") or 300)

    def _me(self) -> dict[str, str]:
        return {"LoadBalancerName": self.name, **members("Instances", [self.instance_id], "InstanceId")}


def _sight(state: str, text: str) -> Sight:
    if state == "Unknown" or _STRANGER in text:
        return Sight(registered=False, text=text)
    leaving = _DRAINING in text
    said = state if text in ("", "N/A") else f"{state}: {text}"
    return Sight(registered=True, in_service=state == "InService" and not leaving, leaving=leaving, text=said)
