"""The deployment file: a cluster as its owner wants it, read at one door and frozen."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from fleet.balancing import Balancer, read_balancers
from fleet.dns_record import Dns, read_dns
from fleet.errors import DeploymentError
from fleet.scaling_rules import Alarm, Scaling, read_alarms, read_scaling
from fleet.server_template import ServerTemplate, read_inputs, read_templates
from fleet.table import NAME, NAME_WORDS, Pairs, Table

DEFAULT_FILE = "fleet/resizer.toml"
_BUCKET = re.compile(r"[a-z0-9{][a-z0-9.{}-]{1,80}")
_ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d[a-z]")
_OURS = ("amibake:", "aws:")


@dataclass(frozen=True)
class Bucket:
    """The bucket that the nodes read from; an owned one is made and removed with the deployment."""

    name: str
    """May hold {deployment}, {account} and {region}."""
    owned: bool = False
    sample: str = ""
    """The key of a photograph painted by code, for an owned bucket, so that there is something to ask for."""


@dataclass(frozen=True)
class Deployment:
    """Everything that a deployment file says."""

    path: Path
    name: str
    templates: tuple[ServerTemplate, ...]
    zones: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    inputs: Pairs = ()
    tags: Pairs = ()
    bucket: Bucket | None = None
    balancers: tuple[Balancer, ...] = ()
    dns: Dns | None = None
    scaling: Scaling | None = None
    alarms: tuple[Alarm, ...] = ()

    def template(self, name: str) -> ServerTemplate:
        """The server template of a name, which must exist."""
        return next(one for one in self.templates if one.name == name)

    def scales(self, template: str) -> Scaling | None:
        """How a template's nodes are scaled automatically; None when they are plain instances."""
        return self.scaling if self.scaling and template in self.scaling.templates else None


def load(path: Path) -> Deployment:
    """Read a deployment file. Raises DeploymentError that names file, key and what would be right."""
    try:
        data = tomllib.loads(path.read_text())
    except OSError as why:
        raise DeploymentError(
            f"{path}: {why.strerror}", f"name one with --file; {DEFAULT_FILE} is an example"
        ) from why
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise DeploymentError(f"{path}: is no TOML: {why}", "see fleet/README.md") from why
    return parse(path, data)


def parse(path: Path, data: dict[str, object]) -> Deployment:
    """Turn a parsed document into a deployment. Raises DeploymentError."""
    top = Table(path, "the top level", data)
    name = top.matching("name", NAME, NAME_WORDS)
    balancers = read_balancers(top)
    templates = read_templates(top, [one.name for one in balancers])
    scaling = read_scaling(top, templates, balancers)
    kinds = {one.name: one.kind for one in balancers}
    read = Deployment(
        path=path,
        name=name,
        templates=templates,
        zones=_zones(top),
        subnets=top.texts("subnets", "a list of subnet ids, such as subnet-0123abcd"),
        inputs=read_inputs(top),
        tags=_tags(top),
        bucket=_bucket(top),
        balancers=balancers,
        dns=read_dns(top, [one.name for one in balancers]),
        scaling=scaling,
        alarms=read_alarms(top, scaling.templates if scaling else (), kinds),
    )
    top.finish()
    return read


def _zones(top: Table) -> tuple[str, ...]:
    zones = top.texts("zones", "a list of availability zones, such as eu-central-1a")
    if bad := [one for one in zones if not _ZONE.fullmatch(one)]:
        raise top.wrong("zones", f"a list of availability zones, such as eu-central-1a; {bad[0]!r} is none")
    if zones and "subnets" in top.data:
        raise top.wrong("zones", "nothing where `subnets` is given: a subnet lies in one zone")
    return zones


def _tags(top: Table) -> Pairs:
    tags = top.pairs("tags")
    if taken := [key for key, _ in tags if key.startswith(_OURS) or key == "Name"]:
        raise top.wrong("tags", f"tags of your own; {taken[0]} is set by the toolkit or AWS")
    return tags


def _bucket(top: Table) -> Bucket | None:
    table = top.table("bucket")
    if table is None:
        return None
    owned = table.flag("owned")
    default = "amibake-{deployment}-{account}-{region}" if owned else None
    name = table.matching(
        "name", _BUCKET, "a bucket's name; {deployment}, {account}, {region} stand in it", default
    )
    sample = table.text("sample", "")
    if sample and not owned:
        raise table.wrong("sample", "a key only where `owned = true`: nothing is put into another's bucket")
    table.finish()
    return Bucket(name, owned, sample)
