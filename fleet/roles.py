"""Roles and instance profiles of a deployment's nodes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aws import temporary
from fleet.errors import NotOurs
from fleet.naming import DEPLOYMENT
from fleet.wanted import Role

if TYPE_CHECKING:
    from aws.session import Cloud

_POLICY = "amibake"


def described(cloud: Cloud, deployment: str, names: Iterable[str]) -> dict[str, str]:
    """Name -> policy (JSON, sorted) of the deployment's roles among these names; `` when it is unfinished.

    Raises NotOurs when a role of such a name is somebody else's.
    """
    found = {name: _policy(cloud, deployment, name) for name in names}
    return {name: policy for name, policy in found.items() if policy is not None}


def make(cloud: Cloud, wanted: Role, tags: Mapping[str, str]) -> None:
    """Create a role with its policy and instance profile, beginning anew where somebody was interrupted."""
    temporary.delete_profile(cloud, wanted.name)
    temporary.create_profile(cloud, wanted.name, dict(tags), json.loads(wanted.policy))


def change(cloud: Cloud, wanted: Role) -> None:
    """Put another policy in the place of a role's."""
    cloud.iam.put_role_policy(RoleName=wanted.name, PolicyName=_POLICY, PolicyDocument=wanted.policy)


def remove(cloud: Cloud, name: str) -> None:
    """Delete a role and its instance profile, however much of them exists."""
    temporary.delete_profile(cloud, name)


def _policy(cloud: Cloud, deployment: str, name: str) -> str | None:
    missing = cloud.iam.exceptions.NoSuchEntityException
    try:
        role = cloud.iam.get_role(RoleName=name)["Role"]
    except missing:
        return None
    tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
    if tags.get(DEPLOYMENT) != deployment:
        raise NotOurs(
            f"a role {name} exists and is not of this deployment", "give the deployment another `name`"
        )
    try:
        profile = cloud.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        document = cloud.iam.get_role_policy(RoleName=name, PolicyName=_POLICY)["PolicyDocument"]
    except missing:
        return ""
    if not profile["Roles"]:
        return ""
    # boto3 decodes it; what else speaks IAM may hand it on as it came, in percent signs.
    content = json.loads(unquote(document)) if isinstance(document, str) else document
    return json.dumps(content, sort_keys=True)
