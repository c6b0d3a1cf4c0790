"""Nodes in service, from the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from aws.session import connect
from bake import image as images
from fleet import demo as demonstration

if TYPE_CHECKING:
    from aws.session import Cloud


@task(
    help={
        "image": "image id or name (default: the newest verified `resizer`)",
        "subnet": "where the node goes (default: the default VPC's first subnet)",
    }
)
def demo(_: Context, image: str = "resizer", subnet: str = "") -> demonstration.Demo:
    """Have a node of a verified image serving resized photographs, and print the line that fetches one."""
    return demonstration_of(connect(), image, subnet)


def demonstration_of(cloud: Cloud, image: str, subnet: str = "") -> demonstration.Demo:
    """A node of an image, by id or name, serving a photograph painted by code."""
    return demonstration.show(cloud, images.find(cloud, image).id, _painted, subnet)


def _painted() -> bytes:
    from resizer.photograph import photograph

    return photograph(2400, 1600)
