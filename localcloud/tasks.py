"""`invoke local.…`: the cloud on this computer, from the desk."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from localcloud import control, needs
from localcloud.errors import LocalCloudError
from localcloud.site import site_from_environment

_stderr = Console(stderr=True)


def _say(text: str) -> None:
    _stderr.print(f"  [dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Status:
    """What `local.status` shows."""

    found: dict[str, Any]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return self.found

    def __rich__(self) -> Group | str:
        """As people read it."""
        if not self.found["running"]:
            return "the local cloud is not running; `invoke local.up` starts it"
        table = Table("instance", "state", "address", "image", box=None)
        for machine in self.found["machines"]:
            table.add_row(
                machine["instance_id"], machine["state"], machine["private_ip"], machine["image_id"]
            )
        shown: list[Any] = [f"the local cloud answers at {self.found['endpoint_url']}", table]
        if self.found["load_balancers"]:
            shown += ["", self._balancers()]
        if self.found["dns"]:
            shown += ["", f"names: dig @{self.found['dns']['address']} NAME"]
        return Group(*shown)

    def _balancers(self) -> Table:
        table = Table("load balancer", "type", "address", "name", box=None)
        for one in self.found["load_balancers"]:
            table.add_row(one["name"], one["type"], one["address"], one["dns_name"])
        return table


@dataclass(frozen=True)
class Said:
    """One sentence about what was done, and its document."""

    sentence: str
    found: dict[str, Any]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return self.found

    def __rich__(self) -> str:
        """As people read it."""
        return self.sentence


@dataclass(frozen=True)
class Faulty:
    """What `local.fault` shows."""

    found: dict[str, Any]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return self.found

    def __rich__(self) -> str:
        """As people read it."""
        lines = [
            f"{fault['count']} calls of {fault['action']} fail from the {fault['nth']}. call on:"
            f" {fault['code'] or 'throttled'}"
            for fault in self.found["refused"]
        ]
        if self.found["late_seconds"]:
            lines.append(f"what is made is seen {self.found['late_seconds']:g} seconds later")
        if self.found["dead_machines"]:
            lines.append(f"the next {self.found['dead_machines']} machines do not boot")
        lines += [f"{zone} has no room for another instance" for zone in self.found["full_zones"]]
        return "\n".join(lines) or "nothing is to fail; `invoke --help local.fault` tells what can"


@task(help={"install": "install the Debian packages that are missing (--no-install prints the command)"})
def up(_: Context, install: bool = True) -> Status:
    """Start the local cloud: an AWS endpoint on this computer whose instances are real machines."""
    site = site_from_environment()
    if site.bodies:
        needs.ensure(_say, install=install)
    control.up(site, _say)
    return Status(control.status(site))


@task
def down(_: Context) -> Said:
    """Stop the local cloud and its machines; what they hold is kept, but no mount, rule or process."""
    site = site_from_environment()
    ended = control.down(site)
    machines = f" with {len(ended)} machines" if ended else ""
    kept = "images, instances, buckets and all other records are kept for `invoke local.up`"
    return Said(f"the local cloud is down{machines}; {kept}", {"running": False, "ended": ended})


@task
def status(_: Context) -> Status:
    """Show whether the local cloud runs, where, and its machines."""
    return Status(control.status(site_from_environment()))


@task(help={"yes": "do not ask", "public": "remove the built public images too, which cost a minute each"})
def reset(_: Context, yes: bool = False, public: bool = False) -> Said:
    """Stop the local cloud and remove all that it keeps: images, instances, buckets. Asks first."""
    site = site_from_environment()
    if not yes and not _agreed(f"Remove every image and instance below {site.home}? Type yes: "):
        raise LocalCloudError("nothing was removed", "answer yes, or give --yes")
    control.down(site)
    shutil.rmtree(site.home, ignore_errors=True)
    if public:
        shutil.rmtree(site.cache, ignore_errors=True)
    return Said(f"{site.home} is gone", {"removed": str(site.home)})


def _agreed(question: str) -> bool:
    """Ask on standard error; where nobody can answer, nobody agrees."""
    return sys.stdin.isatty() and _stderr.input(question).strip() == "yes"


@task(help={"instance": "instance id; the only one running when left out", "user": "login user"})
def ssh(_: Context, instance: str = "", user: str = "admin", key: str = "") -> None:
    """Open a shell on a machine of the local cloud, with one of your own keys or --key FILE."""
    machine = _machine(instance)
    identity = ["-i", key] if key else []
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    argv = ["ssh", *options, *identity, f"{user}@{machine['private_ip']}"]
    if subprocess.run(argv, check=False).returncode == 255:
        raise LocalCloudError(
            f"`{shlex.join(argv)}` could not log in",
            "was the instance launched with a key that you hold? See --key",
        )


@task(help={"instance": "instance id; the only one running when left out"})
def console(_: Context, instance: str = "") -> None:
    """Print what a machine's console said, also after it has ended."""
    site = site_from_environment()
    name = instance or _machine("")["instance_id"]
    path = site.home / "instances" / name / "console.log"
    if not path.exists():
        raise LocalCloudError(f"there is no console of {name}", "`invoke local.status` lists the machines")
    os.write(1, path.read_bytes())


@task
def env(_: Context) -> None:
    """Print shell lines that aim `aws` and boto3 at the local cloud: eval "$(invoke local.env)"."""
    site = site_from_environment()
    print(" ".join(["export", *(f"{name}={shlex.quote(value)}" for name, value in site.environment.items())]))  # noqa: T201


@task(
    help={
        "action": "AWS action whose calls fail, such as RunInstances",
        "code": "AWS error code they fail with; throttled when left out",
        "nth": "the first call that fails, counted from now",
        "count": "how many calls fail",
        "late": "seconds for which Describe calls do not find what is made from now on, when they name it",
        "machines": "how many of the next machines do not boot",
        "zone": "an availability zone that has no room for another instance",
        "interrupt": "an instance that is taken away, as a spot instance is: told so first, then ended",
        "seconds": "how long after it was told so (AWS: 120)",
        "stop": "stop the instance instead of terminating it",
        "clear": "let everything go well again",
    }
)
def fault(
    _: Context,
    action: str = "",
    code: str = "",
    nth: int = 1,
    count: int = 1,
    late: str = "",
    machines: int = 0,
    zone: str = "",
    interrupt: str = "",
    seconds: float = 120.0,
    stop: bool = False,
    clear: bool = False,
) -> Faulty:
    """Make the local cloud fail on purpose, until it ends; without options, show what is still to fail."""
    wanted: dict[str, Any] = {"clear": True} if clear else {}
    if code and not action:
        raise LocalCloudError(f"{code}: of which action?", "name it: --action RunInstances")
    if min(nth, count) < 1 or machines < 0:
        raise LocalCloudError("calls and machines are counted from 1", "see `invoke --help local.fault`")
    if action:
        wanted["refuse"] = {"action": action, "code": code, "nth": nth, "count": count}
    if late:
        wanted["late_seconds"] = _seconds(late)
    if machines:
        wanted["dead_machines"] = machines
    if zone:
        wanted["full_zone"] = zone
    site = site_from_environment()
    if interrupt:
        control.interrupt(site, interrupt, seconds, "stop" if stop else "terminate")
    return Faulty(control.fault(site, wanted))


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError as why:
        raise LocalCloudError(f"--late {text} is no number of seconds", "such as: --late 2.5") from why


def _machine(instance: str) -> dict[str, Any]:
    machines = control.status(site_from_environment())["machines"]
    chosen = [machine for machine in machines if instance in ("", machine["instance_id"])]
    if len(chosen) != 1:
        names = ", ".join(machine["instance_id"] for machine in machines) or "none"
        raise LocalCloudError(
            f"which machine? running: {names}"
            if not instance
            else f"{instance} is not a machine here: {names}",
            "name one with --instance i-…",
        )
    return dict(chosen[0])


TASKS_WITHOUT_CLOUD: tuple[Any, ...] = (up, down, status, reset, ssh, console, env, fault)
