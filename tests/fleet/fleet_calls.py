"""What a deployment file makes the desk say to AWS: every call of an up, in an account of its own."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, desk, in_no_time, register_image
from moto import mock_aws

from fleet import operations, service
from fleet.deployment import parse
from fleet.errors import NotThere, NotUp

if TYPE_CHECKING:
    from aws.session import Cloud


@contextmanager
def account(cloud: Cloud) -> Iterator[dict[str, str]]:
    """An account of its own; yields what its ids stand for."""
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        in_no_time(patch)
        patch.setattr("fleet.bucket._SIZE", (30, 20))
        patch.setattr(service, "_TIMES_SLOWER", 0)
        stack.enter_context(booting(cloud))
        subnets = cloud.ec2.describe_subnets()["Subnets"]
        known = {one["SubnetId"]: f"subnet of {one['AvailabilityZone']}" for one in subnets}
        for name in ("shop", "shop-2"):
            cloud.iam.upload_server_certificate(
                ServerCertificateName=name, CertificateBody="shown", PrivateKey="kept"
            )
        theirs = cloud.ec2.create_security_group(GroupName="theirs", Description="not ours")["GroupId"]
        yield {
            **known,
            theirs: "group theirs",
            **{register_image(name): f"image {name}" for name in ("resizer", "other")},
        }


def sent(cloud: Cloud, data: dict[str, Any]) -> dict[str, str]:
    """Every call of an up, by operation, as text in which ids are told in words."""
    heard: dict[str, str] = {}

    def hear(params: dict[str, Any], model: Any, **_: Any) -> None:
        told = copy.deepcopy({key: value for key, value in params.items() if key != "Body"})
        template = told.get("LaunchTemplateData", {})
        if "UserData" in template:
            config = json.loads(base64.b64decode(template["UserData"]).decode().removeprefix("#cloud-config"))
            template["UserData"] = [json.loads(one["content"]) for one in config["write_files"]]
        heard[model.name] = heard.get(model.name, "") + json.dumps(told, default=str)

    with account(cloud) as ids:
        read = parse(Path(__file__).with_name("shop.toml"), _with_ids(data, ids))
        clients = [cloud.ec2, cloud.s3, cloud.iam, cloud.elb, cloud.elbv2, cloud.route53, cloud.autoscaling]
        for client in (*clients, cloud.cloudwatch):
            client.meta.events.register("provide-client-params", hear)
        try:
            with suppress(NotUp, NotThere):
                operations.up(desk(cloud, read))
        finally:
            for client in (*clients, cloud.cloudwatch):
                client.meta.events.unregister("provide-client-params", hear)
        groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
        ids |= {one["GroupId"]: f"group {one['GroupName']}" for one in groups}
    return {name: _in_words(text, ids) for name, text in heard.items()}


def _in_words(text: str, ids: dict[str, str]) -> str:
    for known, word in ids.items():
        text = text.replace(known, word)
    return text


def _with_ids(data: dict[str, Any], ids: dict[str, str]) -> Any:
    text = json.dumps(data)
    for known, word in ids.items():
        text = text.replace(f'"{word}"', f'"{known}"')
    return json.loads(text)
