"""The deployment file with all resolved that AWS must be asked for: what the plan compares with what is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from aws.temporary import node_policy
from bake import image as images
from bake.errors import ImageNotFound
from bake.image import Image
from bootstrap import inputs
from bootstrap.typed import parts
from fleet.errors import DeploymentError
from fleet.ground import Ground, find_ground
from fleet.naming import NODE_NAMESPACE, Names, digest
from fleet.server_template import BALANCERS, DESK, ServerTemplate

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.balancing import Balancer
    from fleet.deployment import Deployment
    from fleet.scaling_rules import Scaling
    from fleet.table import Pairs

GROUP_OF_BALANCERS = "lb"


@dataclass(frozen=True, order=True)
class Rule:
    """A TCP port, and a CIDR or (by `group:` and its name) a security group that may reach it."""

    port: int
    source: str

    def __str__(self) -> str:
        return f"{self.port} from {self.source}"


@dataclass(frozen=True)
class Group:
    """A security group."""

    name: str
    what: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Role:
    """A role and the instance profile of the same name."""

    name: str
    policy: str
    """As JSON, sorted."""


@dataclass(frozen=True)
class Kind:
    """A server template with its image found and its inputs merged."""

    template: ServerTemplate
    image: Image
    inputs: Pairs
    launch_template: str
    group: str
    role: str
    scaling: Scaling | None
    digest: str
    """Stands for everything that decides what its nodes are."""

    @property
    def name(self) -> str:
        """The template's name."""
        return self.template.name


@dataclass(frozen=True)
class Wanted:
    """A deployment as it shall be."""

    deployment: Deployment
    ground: Ground
    names: Names
    bucket: str
    groups: tuple[Group, ...]
    roles: tuple[Role, ...]
    kinds: tuple[Kind, ...]
    tags: dict[str, str] = field(hash=False)

    def kind(self, name: str) -> Kind:
        """The kind of a template's name, which must exist."""
        return next(one for one in self.kinds if one.name == name)

    def balancers_of(self, kind: Kind) -> tuple[Balancer, ...]:
        """The load balancers behind which a kind's nodes stand."""
        return tuple(one for one in self.deployment.balancers if one.name in kind.template.balancers)


def resolve(cloud: Cloud, deployment: Deployment) -> Wanted:
    """Ask AWS for all that the file only names. Raises DeploymentError, or ImageNotFound."""
    ground = find_ground(cloud, deployment)
    names = {one.image for one in deployment.templates}
    return on_ground(deployment, ground, {name: find_image(cloud, name) for name in names})


def on_ground(deployment: Deployment, ground: Ground, found: Mapping[str, Image]) -> Wanted:
    """A deployment on the ground that was found, with its images by the names the file gives them. Pure."""
    names = Names(deployment.name)
    bucket = ground.filled(deployment.bucket.name, deployment.name) if deployment.bucket else ""
    kinds = tuple(
        _kind(deployment, one, found[one.image], ground, bucket, names) for one in deployment.templates
    )
    return Wanted(
        deployment=deployment,
        ground=ground,
        names=names,
        bucket=bucket,
        groups=tuple(_groups(deployment, ground, names)),
        roles=tuple(_role(one, names, ground, bucket) for one in kinds),
        kinds=kinds,
        tags=names.tags(deployment.tags),
    )


def find_image(cloud: Cloud, wanted: str) -> Image:
    """An image by id, name (the newest verified one) or fingerprint. Raises ImageNotFound."""
    if not is_fingerprint(wanted):
        return images.find(cloud, wanted)
    matching = [one for one in images.ours(cloud) if one.fingerprint.startswith(wanted)]
    if not matching:
        raise ImageNotFound(f"no image has the fingerprint {wanted}", "`invoke images` lists ours")
    return matching[-1]


def is_fingerprint(wanted: str) -> bool:
    """Whether a text is a fingerprint or its first 8 digits at least, rather than a name or an id."""
    return 8 <= len(wanted) <= 64 and set(wanted) <= set("0123456789abcdef")


def merged_inputs(deployment: Deployment, template: ServerTemplate, ground: Ground, bucket: str) -> Pairs:
    """A template's inputs under the deployment's, with the bucket's name and the like filled in."""
    ours = {
        "AWS_REGION": f"text:{ground.region}",
        "METRICS_NAMESPACE": f"text:{NODE_NAMESPACE}",
        "DEPLOYMENT": f"text:{deployment.name}",
    }
    merged = inputs.merged(ours, dict(template.inputs), dict(deployment.inputs))
    if "{bucket}" in "".join(merged.values()) and not bucket:
        raise DeploymentError(
            f"{deployment.path}: an input says {{bucket}}, and there is no [bucket]", "add a [bucket] table"
        )
    filled = {name: ground.filled(typed, deployment.name, bucket) for name, typed in merged.items()}
    return tuple(sorted(filled.items()))


def _kind(
    deployment: Deployment, template: ServerTemplate, image: Image, ground: Ground, bucket: str, names: Names
) -> Kind:
    given = merged_inputs(deployment, template, ground, bucket)
    content: dict[str, Any] = {
        "image": image.id,
        "type": template.instance_type,
        "root": template.root_gib,
        "groups": template.security_groups,
        "run_lists": template.run_lists,
        "inputs": given,
        "balancers": template.balancers,
        "tags": deployment.tags,
    }
    return Kind(
        template=template,
        image=image,
        inputs=given,
        launch_template=names.of(template.name),
        group=names.of(template.name),
        role=names.of(template.name),
        scaling=deployment.scales(template.name),
        digest=digest(json.dumps(content, sort_keys=True)),
    )


def _role(kind: Kind, names: Names, ground: Ground, bucket: str) -> Role:
    own = kind.template.policy
    policy = _policy_in(own, ground, bucket) if own else _shipped_policy(names, bucket, dict(kind.inputs))
    return Role(kind.role, json.dumps(policy, sort_keys=True))


def _shipped_policy(names: Names, bucket: str, given: Mapping[str, str]) -> Any:
    """What bootstrap ships, cut down to what is the deployment's by its name, and to its credentials."""
    mine = f"{names.deployment}-*"
    policy = node_policy(
        bucket,
        results_prefix=given.get("RESULTS_PREFIX", "text:resized").removeprefix("text:"),
        load_balancers=mine,
        target_groups=mine,
        scaling_groups=f"{names.of()}-*",
        metrics_namespace=NODE_NAMESPACE,
        log_group=_text(given.get("LOG_GROUP", "")),
    )
    return {**policy, "Statement": [*policy["Statement"], *map(_may_read, sorted(credentials(given)))]}


def _text(typed: str) -> str:
    return typed.removeprefix("text:") if typed.startswith("text:") else ""


def credentials(given: Mapping[str, str]) -> set[str]:
    """The names of the credentials that typed inputs stand for."""
    return {name for typed in given.values() for kind, name in parts(typed) if kind == "cred"}


def _may_read(credential: str) -> dict[str, Any]:
    if credential.startswith(("/", "ssm:")):
        path = credential.removeprefix("ssm:").lstrip("/")
        action, resource = "ssm:GetParameter", f"arn:aws:ssm:*:*:parameter/{path}"
    else:
        name = credential.partition("#")[0]
        # Secrets Manager adds six characters to a name; an ARN has them already.
        resource = name if name.startswith("arn:") else f"arn:aws:secretsmanager:*:*:secret:{name}-??????"
        action = "secretsmanager:GetSecretValue"
    return {"Effect": "Allow", "Action": [action], "Resource": resource}


def _policy_in(path: Path, ground: Ground, bucket: str) -> Any:
    text = Template(path.read_text()).safe_substitute(
        BUCKET=bucket, ACCOUNT=ground.account, REGION=ground.region
    )
    try:
        return json.loads(text)
    except ValueError as why:
        raise DeploymentError(f"{path}: is no JSON: {why}", "write an IAM policy document") from why


def _groups(deployment: Deployment, ground: Ground, names: Names) -> Iterator[Group]:
    grouped = [one for one in deployment.balancers if one.kind != "network"]
    if grouped:
        rules = {
            Rule(at.port, _cidr(source, ground))
            for one in grouped
            for at in one.listeners
            for source in one.sources
        }
        yield Group(names.of(GROUP_OF_BALANCERS), "the load balancers", tuple(sorted(rules)))
    for template in deployment.templates:
        rules = {
            Rule(opening.port, source)
            for opening in template.open
            for source in _sources(opening.source, deployment.balancers, ground, names)
        }
        yield Group(names.of(template.name), f"the nodes of {template.name}", tuple(sorted(rules)))


def _sources(source: str, balancers: Sequence[Balancer], ground: Ground, names: Names) -> Iterator[str]:
    """Whom an opening admits. A network load balancer checks from the VPC and leaves clients as they are."""
    if source != BALANCERS:
        yield _cidr(source, ground)
        return
    for one in balancers:
        if one.kind != "network":
            yield f"group:{names.of(GROUP_OF_BALANCERS)}"
        else:
            yield ground.vpc_cidr
            yield from (_cidr(admitted, ground) for admitted in one.sources)


def _cidr(source: str, ground: Ground) -> str:
    return ground.caller if source == DESK else source
