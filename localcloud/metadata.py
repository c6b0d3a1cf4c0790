"""The instance metadata service (IMDSv2), with one identity per machine.

The caller's source address tells which machine asks; the network lets no machine use another's address.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from typing import Any

from localcloud.site import ACCOUNT, Site

_LONGEST_TOKEN_SECONDS = 21600
_VERSION = re.compile(r"latest|1\.0|20\d\d-\d\d-\d\d")
_TOKEN_HEADER = "HTTP_X_AWS_EC2_METADATA_TOKEN"  # noqa: S105 (a header's name)

Tree = dict[str, Any]
"""Path segment -> text, or a Tree below it."""


@dataclass(frozen=True)
class Reply:
    """What the service answers."""

    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Token:
    machine: str
    expires: float


class MetadataService:
    """A WSGI application. `find` gives the instance at an address, `credentials` the keys of a role."""

    def __init__(
        self,
        site: Site,
        find: Callable[[str], Any | None],
        public_key: Callable[[str], str],
        credentials: Callable[[str, str], dict[str, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._find = find
        self._public_key = public_key
        self._credentials = credentials
        self._clock = clock
        self._tokens: dict[str, _Token] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        reply = self._answer(environ)
        headers = [("Content-Length", str(len(reply.body))), ("Server", "EC2ws"), *reply.headers]
        if not any(name == "Content-Type" for name, _ in reply.headers):
            headers.append(("Content-Type", "text/plain"))
        start_response(f"{reply.status.value} {reply.status.phrase}", headers)
        return [reply.body]

    def _answer(self, environ: dict[str, Any]) -> Reply:
        record = self._find(environ["REMOTE_ADDR"])
        if record is None:
            return Reply(HTTPStatus.NOT_FOUND)
        if record.metadata_options.http_endpoint == "disabled":
            return Reply(HTTPStatus.FORBIDDEN)
        if environ["REQUEST_METHOD"] == "PUT":
            return self._give_token(environ, record)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        if not self._may_read(environ, record):
            return Reply(HTTPStatus.UNAUTHORIZED)
        return self._read(record, environ["PATH_INFO"])

    def _give_token(self, environ: dict[str, Any], record: Any) -> Reply:
        if environ["PATH_INFO"].rstrip("/") != "/latest/api/token":
            return Reply(HTTPStatus.NOT_FOUND)
        if "HTTP_X_FORWARDED_FOR" in environ:
            return Reply(HTTPStatus.FORBIDDEN)  # a proxy on the machine must not fetch tokens for others
        asked = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
        if not asked.isdigit() or not 1 <= int(asked) <= _LONGEST_TOKEN_SECONDS:
            return Reply(HTTPStatus.BAD_REQUEST)
        self._limit_hops(environ, record.metadata_options.http_put_response_hop_limit)
        token = secrets.token_urlsafe(40)
        now = self._clock()
        self._tokens = {text: held for text, held in self._tokens.items() if held.expires > now}
        self._tokens[token] = _Token(record.id, now + int(asked))
        header = ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", asked)
        return Reply(HTTPStatus.OK, token.encode(), (header,))

    @staticmethod
    def _limit_hops(environ: dict[str, Any], limit: int) -> None:
        """Let the answer die after `limit` hops, so that it does not reach past the machine itself."""
        connection = environ.get("werkzeug.socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, limit)

    def _may_read(self, environ: dict[str, Any], record: Any) -> bool:
        token = environ.get(_TOKEN_HEADER)
        if token is None:
            return bool(record.metadata_options.http_tokens != "required")
        held = self._tokens.get(token)
        return held is not None and held.machine == record.id and held.expires > self._clock()

    def _read(self, record: Any, path: str) -> Reply:
        version, *segments = [segment for segment in path.split("/") if segment] or [""]
        if not version:
            return Reply(HTTPStatus.OK, b"1.0\n2021-03-23\n2022-09-24\nlatest")
        if not _VERSION.fullmatch(version):
            return Reply(HTTPStatus.NOT_FOUND)
        if segments == ["user-data"]:
            return _user_data(record)
        if segments[:3] == ["meta-data", "iam", "security-credentials"] and len(segments) == 4:
            return self._role_keys(record, segments[3])
        found: Any = self._tree(record)
        for segment in segments:
            if not isinstance(found, dict) or segment not in found:
                return Reply(HTTPStatus.NOT_FOUND)
            found = found[segment]
        return Reply(HTTPStatus.OK, _listing(found, segments).encode())

    def _tree(self, record: Any) -> Tree:
        tree: Tree = {
            "meta-data": _meta_data(record, self._site),
            "dynamic": {"instance-identity": {"document": _identity_document(record, self._site)}},
        }
        if record.user_data:
            tree["user-data"] = ""
        meta = tree["meta-data"]
        if record.key_name:
            meta["public-keys"] = {
                "0": {"openssh-key": self._public_key(record.key_name), "": record.key_name}
            }
        if record.metadata_options.instance_metadata_tags == "enabled":
            meta["tags"] = {"instance": {tag["key"]: tag["value"] for tag in record.get_tags()}}
        meta |= _notices(record)
        profile = _profile_name(record)
        if profile:
            meta["iam"] = {
                "info": json.dumps(
                    {"Code": "Success", "InstanceProfileArn": record.iam_instance_profile["Arn"]}
                ),
                "security-credentials": dict.fromkeys(_roles(profile), ""),
            }
        return tree

    def _role_keys(self, record: Any, role: str) -> Reply:
        profile = _profile_name(record)
        if not profile or role not in _roles(profile):
            return Reply(HTTPStatus.NOT_FOUND)
        body = json.dumps(
            {"Code": "Success", "Type": "AWS-HMAC", **self._credentials(role, record.id)}, indent=1
        )
        return Reply(HTTPStatus.OK, body.encode(), (("Content-Type", "application/json"),))


def _listing(found: str | Tree, segments: list[str]) -> str:
    """A leaf's text, or the names below a branch, one a line, branches with a slash; keys as `0=name`."""
    if isinstance(found, str):
        return found
    if segments[-1:] == ["public-keys"]:
        return "\n".join(f"{index}={key['']}" for index, key in found.items())
    # Below `tags` a name may itself hold anything; only branches are marked.
    return "\n".join(f"{name}/" if isinstance(below, dict) else name for name, below in found.items() if name)


def _meta_data(record: Any, site: Site) -> Tree:
    nic = record.nics[0]
    hostname = record.private_dns_name
    groups = "\n".join(group.name for group in nic.group_set)
    return {
        "ami-id": record.image_id,
        "ami-launch-index": str(record.ami_launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": "xvda", "root": "/dev/xvda"},
        "hostname": hostname,
        "instance-action": "none",
        "instance-id": record.id,
        "instance-life-cycle": "spot" if record.lifecycle == "spot" else "on-demand",
        "instance-type": record.instance_type,
        "local-hostname": hostname,
        "local-ipv4": record.private_ip_address,
        "mac": nic.mac_address,
        "network": {"interfaces": {"macs": {nic.mac_address: _interface(record, nic, site, groups)}}},
        "placement": {"availability-zone": record.availability_zone, "region": site.region},
        "profile": "default-hvm",
        "reservation-id": f"r-{record.id[2:]}",
        "security-groups": groups,
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }


def _interface(record: Any, nic: Any, site: Site, groups: str) -> Tree:
    return {
        "device-number": "0",
        "interface-id": nic.id,
        "local-hostname": record.private_dns_name,
        "local-ipv4s": record.private_ip_address,
        "mac": nic.mac_address,
        "owner-id": ACCOUNT,
        "security-group-ids": "\n".join(group.id for group in nic.group_set),
        "security-groups": groups,
        "subnet-id": record.subnet_id,
        "subnet-ipv4-cidr-block": nic.subnet.cidr_block,
        "vpc-id": record.vpc_id,
        "vpc-ipv4-cidr-block": str(site.network),
    }


def _notices(record: Any) -> Tree:
    """What may be about to happen to the instance; absent, and so 404, when nothing is."""
    tree: Tree = {}
    interruption = getattr(record, "interruption", None)
    action = getattr(record, "interruption_action", "terminate")
    if interruption:
        tree["spot"] = {"instance-action": json.dumps({"action": action, "time": interruption})}
        if action == "terminate":
            tree["spot"]["termination-time"] = interruption
    state = _lifecycle_state(record)
    if state:
        tree["autoscaling"] = {"target-lifecycle-state": state}
    return tree


def _lifecycle_state(record: Any) -> str:
    """Where Auto Scaling wants the instance to go, empty outside of a group."""
    group = getattr(record, "autoscaling_group", None)
    for one in group.instance_states if group else ():
        if one.instance.id == record.id:
            state, _, waiting = one.lifecycle_state.partition(":")
            target = {"Pending": "InService", "Terminating": "Terminated", "Detaching": "Detached"}
            return f"Warmed:{waiting}" if state == "Warmed" else target.get(state, state)
    return ""


def _identity_document(record: Any, site: Site) -> str:
    return json.dumps(
        {
            "accountId": ACCOUNT,
            "architecture": record.architecture,
            "availabilityZone": record.availability_zone,
            "imageId": record.image_id,
            "instanceId": record.id,
            "instanceType": record.instance_type,
            "pendingTime": record.launch_time.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "privateIp": record.private_ip_address,
            "region": site.region,
            "version": "2017-09-30",
        },
        indent=1,
    )


def _user_data(record: Any) -> Reply:
    if not record.user_data:
        return Reply(HTTPStatus.NOT_FOUND)
    kind = (("Content-Type", "application/octet-stream"),)
    # moto's is of its own type, or a text where it comes from a launch template's later version.
    encoded = record.user_data if isinstance(record.user_data, str) else record.user_data.as_bytes()
    return Reply(HTTPStatus.OK, base64.b64decode(encoded), kind)


def _profile_name(record: Any) -> str:
    return record.iam_instance_profile["Arn"].rpartition("/")[2] if record.iam_instance_profile else ""


def _roles(profile_name: str) -> list[str]:
    from moto.iam.models import iam_backends

    profile = iam_backends[ACCOUNT]["aws"].get_instance_profile(profile_name)
    return [role.name for role in profile.roles]
