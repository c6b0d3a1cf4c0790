"""An account in this process with a verified image, whose nodes become operational as soon as they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fleet import service

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment

READS = ("Describe", "Get", "List", "Head")
_SERVICES = ("ec2", "iam", "s3", "ssm", "elb", "elbv2", "autoscaling", "cloudwatch", "route53")


def register_image(name: str = "resizer", fingerprint: str = "ab" * 32) -> str:
    """A verified image of a name."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    image: Any = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].register_image(name)
    image.architecture, image.root_device_name = "x86_64", "/dev/xvda"
    image.add_tags({"amibake:image": name, "amibake:fingerprint": fingerprint, "amibake:state": "verified"})
    return str(image.id)


def in_no_time(patch: pytest.MonkeyPatch) -> None:
    """Nobody dials to learn this computer's address, and nobody waits for a boot or between two looks."""
    patch.setattr("aws.place._public_address", lambda: "192.0.2.7")
    patch.setattr(service, "_LOOK_SECONDS", 0)
    patch.setattr(service, "_BOOT_SECONDS", 0)


@contextmanager
def booting(cloud: Cloud, state: str = "operational") -> Iterator[None]:
    """Nodes tell this state as soon as they are launched or started; moto tells of a template's new tags."""
    from moto.ec2.models.launch_templates import LaunchTemplateBackend

    def told(parsed: Any, **_: Any) -> None:
        ids = [one["InstanceId"] for one in parsed.get("Instances", parsed.get("StartingInstances", []))]
        if ids:
            tags: Any = [{"Key": "bootstrap:state", "Value": state}]
            cloud.ec2.create_tags(Resources=ids, Tags=tags)

    original = LaunchTemplateBackend.describe_launch_templates

    def with_tags(self: Any, *args: Any, **kwargs: Any) -> Any:
        for template in self.launch_templates.values():
            template.tags = template.get_tags()
        return original(self, *args, **kwargs)

    events = ("after-call.ec2.RunInstances", "after-call.ec2.StartInstances")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LaunchTemplateBackend, "describe_launch_templates", with_tags)
        for event in events:
            cloud.ec2.meta.events.register(event, told)
        try:
            yield
        finally:
            for event in events:
                cloud.ec2.meta.events.unregister(event, told)


@contextmanager
def counted(cloud: Cloud) -> Iterator[Counter[str]]:
    """The calls of a block, by operation."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    clients = [getattr(cloud, name) for name in _SERVICES]
    for client in clients:
        client.meta.events.register("before-call", count)
    try:
        yield calls
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", count)


def writes(calls: Counter[str]) -> list[str]:
    """Those of the calls that change something."""
    return sorted(name for name in calls if not name.startswith(READS))


def desk(cloud: Cloud, deployment: Deployment, command: str = "test", **more: Any) -> Any:
    """A command on a deployment that tells nobody of its progress."""
    from dataclasses import replace
    from io import StringIO

    from rich.console import Console

    from bake.progress import Progress
    from fleet.command import Desk

    made = Desk(cloud, deployment, command, **more)
    made.site = replace(made.site, progress=Progress(Console(file=StringIO())))
    return made
