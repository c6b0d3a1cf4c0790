"""A server template: what a kind of node is launched from. Several may stand on one image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from bootstrap.typed import fault
from fleet.table import Pairs, Table

BALANCERS, DESK = "load_balancers", "desk"
PHASES = ("boot", "operational", "decommission")
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_INPUT = re.compile(r"[A-Z][A-Z0-9_]*")
_SOURCE_WORDS = f'"{BALANCERS}", "{DESK}" (this computer\'s address) or a CIDR such as "10.0.0.0/8"'


@dataclass(frozen=True)
class Opening:
    """A TCP port and who may reach it."""

    port: int
    source: str
    """`load_balancers`, `desk` or a CIDR."""


@dataclass(frozen=True)
class ServerTemplate:
    """What one kind of node is launched from. Metadata is IMDSv2 only, always."""

    name: str
    count: int = 1
    image: str = "resizer"
    """A name (the newest verified one), an image id, or a fingerprint (its first 8 digits suffice)."""
    instance_type: str = "t3.small"
    root_gib: int = 0
    """0: as large as the image's."""
    open: tuple[Opening, ...] = ()
    security_groups: tuple[str, ...] = ()
    """Ids of groups of yours that the nodes get besides the deployment's."""
    policy: Path | None = None
    """What the role may do, as JSON; None: the policy that bootstrap ships."""
    run_lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    settings: Path | None = None
    """The image's bootstrap.toml, by which inputs are checked before anything is created."""
    scripts: Path | None = None
    """Where the scripts of the run lists lie here; None: those that bootstrap ships."""
    inputs: Pairs = ()
    balancers: tuple[str, ...] = ()


def read_templates(top: Table, balancers: Sequence[str]) -> tuple[ServerTemplate, ...]:
    """The server templates of a deployment file. Raises DeploymentError."""
    found = tuple(_template(name, table, balancers) for name, table in top.named("template"))
    if not found:
        raise top.wrong("template", "at least one server template, written [template.NAME]")
    return found


def read_inputs(table: Table) -> Pairs:
    """Typed inputs. Raises DeploymentError, which never repeats a value: it may be a secret."""
    inputs = table.pairs("inputs")
    for name, typed in inputs:
        if not _INPUT.fullmatch(name):
            raise table.wrong_part("inputs", f"{name} is no input's name: use capitals, digits and _")
        if wrong := fault(typed):
            raise table.wrong_part("inputs", f"{name} {wrong}")
    return inputs


def read_openings(table: Table, key: str) -> tuple[Opening, ...]:
    """Ports and who may reach them. Raises DeploymentError."""
    return tuple(_opening(one) for one in table.listed(key))


def read_source(table: Table, key: str, *also: str) -> str:
    """Who may reach something: a CIDR or one of the words in `also`."""
    source = table.text(key, None)
    if source not in also:
        try:
            ip_network(source)
        except ValueError:
            raise table.wrong(key, _SOURCE_WORDS) from None
    return source


def _opening(table: Table) -> Opening:
    opening = Opening(table.number("port", None, 1, 65535), read_source(table, "from", BALANCERS, DESK))
    table.finish()
    return opening


def _template(name: str, table: Table, balancers: Sequence[str]) -> ServerTemplate:
    template = ServerTemplate(
        name=name,
        count=table.number("count", 1, 0, 5000),
        image=table.text("image", "resizer"),
        instance_type=table.matching("instance_type", _TYPE, "an instance type such as t3.small", "t3.small"),
        root_gib=table.number("root_gib", 0, 0, 16384),
        open=read_openings(table, "open"),
        security_groups=table.texts("security_groups", "a list of security group ids"),
        policy=table.file("policy"),
        run_lists=_run_lists(table),
        settings=table.file("settings"),
        scripts=table.file("scripts", folder=True),
        inputs=read_inputs(table),
        balancers=table.some_of("load_balancers", balancers),
    )
    table.finish()
    return template


def _run_lists(table: Table) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lists = table.table("run_lists")
    if lists is None:
        return ()
    found = tuple((phase, lists.texts(phase)) for phase in PHASES if phase in lists.data)
    lists.known.update(PHASES)
    lists.finish()
    return found
