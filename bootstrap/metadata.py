"""Who this machine is, from the instance metadata service, version 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.errors import MetadataError

if TYPE_CHECKING:
    from bootstrap.web import Ask

SERVICE = "http://169.254.169.254/latest"
# The service answers in milliseconds or not at all; a machine that has none must not wait for it.
TIMEOUT_SECONDS = 1.0
ATTEMPTS = 2


@dataclass(frozen=True)
class Identity:
    """The instance id and region of this machine."""

    instance_id: str
    region: str


def identity(ask: Ask) -> Identity:
    """Ask who this machine is. Raises MetadataError when the service does not answer."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return _identity(ask)
        except OSError as why:
            if not left:
                raise MetadataError(
                    f"the instance metadata service does not answer: {why}",
                    hint=f"is this an EC2 instance with metadata enabled? try a PUT to {SERVICE}/api/token",
                ) from why
    raise AssertionError


def _identity(ask: Ask) -> Identity:
    token = _body(ask, "PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    bearer = {"X-aws-ec2-metadata-token": token}
    return Identity(
        instance_id=_body(ask, "GET", "meta-data/instance-id", bearer),
        region=_body(ask, "GET", "meta-data/placement/region", bearer),
    )


def _body(ask: Ask, method: str, path: str, headers: dict[str, str]) -> str:
    answer = ask(method, f"{SERVICE}/{path}", TIMEOUT_SECONDS, headers)
    if answer.status != 200:
        raise OSError(f"{path} answered {answer.status}")
    return answer.body.strip()
