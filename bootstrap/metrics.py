"""A node's load, requests and latency in CloudWatch, and its logs, once a minute, by a timer; no agent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bootstrap.act import Act
from bootstrap.api import MONITORING, Api, members
from bootstrap.logs import ship
from bootstrap.services import look

TIMER = "node-metrics.timer"
_SECONDS = 60.0
# Below /run: a timer's pace is the next boot's to say again.
_PACE = Path("/run/systemd/system/node-metrics.timer.d/pace.conf")
_ACCESS_LOG = "/var/log/apache2/access.log"
_READ = Path("/run/amibake/served.json")


@dataclass(frozen=True)
class Figure:
    """A metric's value, or several with how often each occurred."""

    name: str
    values: Mapping[float, int]
    unit: str = "None"

    @classmethod
    def of(cls, name: str, value: float, unit: str = "None") -> Figure:
        """One value."""
        return cls(name, {value: 1}, unit)


def keep_sending(act: Act, pace: Path = _PACE) -> None:
    """Have the timer run when METRICS_NAMESPACE or LOG_GROUP is given, and only then. Raises ServiceError."""
    (timer,) = look([TIMER], act.run)
    wanted, active = bool(act.text("METRICS_NAMESPACE") or act.text("LOG_GROUP")), timer.active
    seconds = act.number("METRICS_SECONDS", _SECONDS) or _SECONDS
    if wanted and _paced(pace) != seconds:
        act.change(f"{TIMER}: every {seconds:g} s", lambda: _set_pace(act, pace, seconds, active=active))
    if wanted and not active:
        act.change(f"started {TIMER}", lambda: act.run(["systemctl", "start", TIMER]))
    if active and not wanted:
        act.change(f"stopped {TIMER}", lambda: act.run(["systemctl", "stop", TIMER]))


def _paced(path: Path) -> float:
    """The seconds of a pace other than the unit's, or the unit's."""
    return float(path.read_text().splitlines()[0].rpartition(" ")[2]) if path.exists() else _SECONDS


def _set_pace(act: Act, path: Path, seconds: float, *, active: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # An empty value takes back all times that the unit says.
    times = f"OnUnitActiveSec=\nOnActiveSec=1s\nOnUnitActiveSec={seconds:g}s\n"
    path.write_text(f"# {seconds:g}\n[Timer]\n{times}AccuracySec=1s\nRandomizedDelaySec=0\n")
    act.run(["systemctl", "daemon-reload"])
    if active:
        act.run(["systemctl", "restart", TIMER])


def beat(act: Act) -> None:
    """Ship the logs, then send the figures. Raises like `send`."""
    ship(act)
    send(act)


def send(act: Act, read: Path = _READ) -> None:
    """Put the figures of now, in one call. Raises ApiError or UnreachableError."""
    namespace = act.text("METRICS_NAMESPACE")
    if namespace and act.instance_id and not act.dry_run:
        put(act.brief_api, namespace, measured(act, read), dimensions(act))


def dimensions(act: Act) -> list[dict[str, str]]:
    """Under what the figures are put: the node, and the deployment as a whole, which alarms go by."""
    whole = {"Deployment": act.text("DEPLOYMENT")} if act.text("DEPLOYMENT") else {}
    return [{**whole, "InstanceId": act.instance_id}, *([whole] if whole else [])]


def measured(act: Act, read: Path) -> list[Figure]:
    """The load average; requests a second and what they took where there is an access log that tells."""
    # Not known to the boot script, which only sees to the timer.
    from bootstrap.serving import AccessLog

    figures = [Figure.of("LoadAverage1", os.getloadavg()[0])]
    log = AccessLog(Path(act.text("ACCESS_LOG", _ACCESS_LOG)), read, urlsplit(act.text("HEALTH_URL")).path)
    try:
        served = log.served(act.clock.monotonic())
    except OSError as why:
        act.say(f"requests are not counted: {why}")
        return figures
    if served:
        figures.append(Figure.of("RequestsPerSecond", served.per_second, "Count/Second"))
    if served and served.latencies:
        figures.append(Figure("Latency", served.latencies, "Seconds"))
    return figures


def put(api: Api, namespace: str, figures: Sequence[Figure], under: Sequence[Mapping[str, str]]) -> None:
    """Send figures to CloudWatch, under each of some dimensions. Raises ApiError or UnreachableError."""
    asked, data = {"Namespace": namespace}, [(one, named) for named in under for one in figures]
    for number, (figure, named) in enumerate(data, 1):
        here = f"MetricData.member.{number}"
        asked |= {f"{here}.MetricName": figure.name, f"{here}.Unit": figure.unit}
        asked |= members(f"{here}.Values", (f"{value:.6g}" for value in figure.values))
        asked |= members(f"{here}.Counts", map(str, figure.values.values()))
        asked |= members(f"{here}.Dimensions", named, "Name")
        asked |= members(f"{here}.Dimensions", named.values(), "Value")
    api.query(MONITORING, "PutMetricData", asked)
