"""The key that opens a deployment's nodes: known to EC2, its private half in the parameter store.

So every desk that may read the parameter can log in, and no desk has to pass it to another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws.keys import SshKey
from aws.ownership import specification, tag_list
from fleet.errors import NotThere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws.session import Cloud
    from fleet.naming import Names

_LEAF = "ssh-key"


def there(cloud: Cloud, names: Names) -> bool:
    """Whether both halves are where they belong."""
    return all(_halves(cloud, names))


def any_half(cloud: Cloud, names: Names) -> bool:
    """Whether there is something of it to remove."""
    return any(_halves(cloud, names))


def _halves(cloud: Cloud, names: Names) -> tuple[bool, bool]:
    public = _found(lambda: cloud.ec2.describe_key_pairs(KeyNames=[names.of()]))
    return public, _found(lambda: cloud.ssm.get_parameter(Name=names.parameter(_LEAF)))


def _found(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as why:
        if why.response["Error"]["Code"] not in ("InvalidKeyPair.NotFound", "ParameterNotFound"):
            raise
        return False
    return True


def make(cloud: Cloud, names: Names, tags: Mapping[str, str]) -> None:
    """Make a key; half of one that a killed command left goes first."""
    remove(cloud, names)
    key = SshKey.generate()
    cloud.ssm.put_parameter(
        Name=names.parameter(_LEAF), Value=key.private, Type="SecureString", Tags=tag_list(tags)
    )
    cloud.ec2.import_key_pair(
        KeyName=names.of(),
        PublicKeyMaterial=key.public.encode(),
        TagSpecifications=specification({**tags, "Name": names.of()}, "key-pair"),
    )


def private(cloud: Cloud, names: Names) -> str:
    """The private half. Raises NotThere."""
    try:
        found = cloud.ssm.get_parameter(Name=names.parameter(_LEAF), WithDecryption=True)
    except ClientError as why:
        raise NotThere(
            f"there is no key to the nodes of {names.deployment}: {why}", "`invoke fleet.up` makes one"
        ) from why
    return found["Parameter"]["Value"]


def remove(cloud: Cloud, names: Names) -> None:
    """Delete both halves, however much of them exists."""
    cloud.ec2.delete_key_pair(KeyName=names.of())
    try:
        cloud.ssm.delete_parameter(Name=names.parameter(_LEAF))
    except cloud.ssm.exceptions.ParameterNotFound:
        return
