"""The metadata service, asked as a WSGI application by a small made-up instance."""

from __future__ import annotations

import base64
import json
import socket
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud import metadata
from localcloud.metadata import MetadataService
from localcloud.site import ACCOUNT, Site

TTL = "HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS"
TOKEN = "HTTP_X_AWS_EC2_METADATA_TOKEN"


def machine(number: int = 1, **more: Any) -> Any:
    """An instance as moto keeps it, as far as the service looks."""
    groups = [SimpleNamespace(name="web", id="sg-1")]
    subnet = SimpleNamespace(cidr_block="10.117.0.0/20")
    nic = SimpleNamespace(mac_address="02:00:00:00:00:01", id="eni-1", group_set=groups, subnet=subnet)
    options = {
        "http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1,
        "instance_metadata_tags": "disabled", **more.pop("options", {}),
    }  # fmt: skip
    values = {
        "id": f"i-{number}", "private_ip_address": f"10.117.0.{number}", "image_id": "ami-1", "nics": [nic],
        "private_dns_name": "ip-10-117-0-1.ec2.internal", "ami_launch_index": 0, "lifecycle": None,
        "instance_type": "t3.small", "availability_zone": "us-east-1a", "subnet_id": "subnet-1",
        "vpc_id": "vpc-1", "architecture": "x86_64", "launch_time": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001
        "user_data": None, "key_name": "", "iam_instance_profile": None,
        "get_tags": lambda: [{"key": "Name", "value": "web 1"}, {"key": "a/b", "value": "c"}], **more,
    }  # fmt: skip
    return SimpleNamespace(metadata_options=SimpleNamespace(**options), **values)


class Asker:
    """Asks the service as a machine would."""

    def __init__(self, *machines: Any) -> None:
        self.now = 100.0
        owners = {one.private_ip_address: one for one in machines}
        self.service = MetadataService(
            Site(), owners.get, lambda name: f"ssh-ed25519 AAAA {name}",
            lambda role, session: {"AccessKeyId": role, "SecretAccessKey": session}, lambda: self.now,
        )  # fmt: skip
        self.headers: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", number: int = 1, **headers: Any) -> tuple[int, str]:
        said: list[Any] = []
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": f"10.117.0.{number}", **headers,
        }  # fmt: skip
        body = b"".join(self.service(environ, lambda *answer: said.extend(answer)))
        self.headers = dict(said[1])
        return int(said[0].split()[0]), body.decode()

    def token(self, seconds: str = "60", number: int = 1) -> str:
        status, text = self.ask("/latest/api/token", "PUT", number, **{TTL: seconds})
        assert status == 200
        return text

    def get(self, path: str, number: int = 1) -> tuple[int, str]:
        return self.ask(f"/latest/{path}", number=number, **{TOKEN: self.token(number=number)})


@pytest.fixture
def asker() -> Asker:
    return Asker(machine(1), machine(2))


# --- tokens ---


@pytest.mark.parametrize("seconds", ["", "0", "-1", "21601", "ten", "1.5"])
def test_a_token_lives_one_second_to_six_hours(asker: Asker, seconds: str) -> None:
    assert asker.ask("/latest/api/token", "PUT", **{TTL: seconds}) == (400, "")


@pytest.mark.parametrize("seconds", ["1", "21600"])
def test_the_shortest_and_the_longest_token_are_given(asker: Asker, seconds: str) -> None:
    assert asker.token(seconds)
    assert asker.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == seconds


def test_a_token_that_is_asked_for_without_a_life_is_refused(asker: Asker) -> None:
    assert asker.ask("/latest/api/token", "PUT")[0] == 400


def test_a_token_is_not_given_through_a_proxy(asker: Asker) -> None:
    asked = {TTL: "60", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    assert asker.ask("/latest/api/token", "PUT", **asked)[0] == 403


def test_without_a_token_nothing_is_read_where_it_is_required(asker: Asker) -> None:
    assert asker.ask("/latest/meta-data/instance-id")[0] == 401


def test_without_a_token_all_is_read_where_it_is_optional() -> None:
    asker = Asker(machine(1, options={"http_tokens": "optional"}))
    assert asker.ask("/latest/meta-data/instance-id") == (200, "i-1")
    assert asker.ask("/latest/meta-data/instance-id", **{TOKEN: "made-up"})[0] == 401


def test_a_token_of_another_machine_opens_nothing(asker: Asker) -> None:
    assert asker.ask("/latest/meta-data/instance-id", **{TOKEN: asker.token(number=2)})[0] == 401


def test_a_token_that_has_expired_opens_nothing(asker: Asker) -> None:
    token = asker.token("60")
    asker.now += 59
    assert asker.ask("/latest/meta-data/instance-id", **{TOKEN: token})[0] == 200
    asker.now += 1
    assert asker.ask("/latest/meta-data/instance-id", **{TOKEN: token})[0] == 401


def test_expired_tokens_are_not_kept(asker: Asker) -> None:
    asker.token("1")
    asker.now += 2
    asker.token("1")
    assert len(asker.service._tokens) == 1


def test_the_answer_with_a_token_goes_as_many_hops_as_the_machine_allows() -> None:
    asker = Asker(machine(1, options={"http_put_response_hop_limit": 2}))
    with socket.socket() as connection:
        asker.ask("/latest/api/token", "PUT", **{TTL: "60", "werkzeug.socket": connection})
        assert connection.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 2


# --- who asks ---


def test_a_caller_that_is_no_machine_is_answered_nothing(asker: Asker) -> None:
    assert asker.ask("/latest/meta-data/instance-id", number=9)[0] == 404
    assert asker.ask("/latest/api/token", "PUT", 9, **{TTL: "60"})[0] == 404


def test_each_machine_reads_its_own(asker: Asker) -> None:
    assert [asker.get("meta-data/instance-id", number)[1] for number in (1, 2)] == ["i-1", "i-2"]


def test_a_service_that_is_switched_off_is_forbidden() -> None:
    asker = Asker(machine(1, options={"http_endpoint": "disabled"}))
    assert asker.ask("/latest/meta-data/")[0] == 403


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nothing_is_written(asker: Asker, method: str) -> None:
    assert asker.ask("/latest/meta-data/", method)[0] == 405


# --- what is told ---


def test_a_folder_is_listed_with_a_slash_for_each_folder_in_it(asker: Asker) -> None:
    status, listed = asker.get("meta-data/")
    assert status == 200
    assert {"instance-id", "placement/", "network/"} <= set(listed.splitlines())
    assert "iam/" not in listed
    assert "tags/" not in listed


@pytest.mark.parametrize("path", ["meta-data/nothing", "meta-data/instance-id/below", "nothing", "api/token"])
def test_what_is_not_there_is_not_found(asker: Asker, path: str) -> None:
    assert asker.get(path)[0] == 404


def test_a_version_that_never_was_is_not_found(asker: Asker) -> None:
    assert asker.ask("/newest/meta-data/", **{TOKEN: asker.token()})[0] == 404
    assert asker.ask("/2021-03-23/meta-data/instance-id", **{TOKEN: asker.token()}) == (200, "i-1")


def test_user_data_is_given_as_it_was(asker: Asker) -> None:
    assert asker.get("user-data")[0] == 404
    encoded = base64.b64encode(b"#cloud-config\n{}")
    given = Asker(machine(1, user_data=SimpleNamespace(as_bytes=lambda: encoded)))
    assert given.get("user-data") == (200, "#cloud-config\n{}")


def test_tags_are_told_only_where_that_is_switched_on() -> None:
    asker = Asker(machine(1, options={"instance_metadata_tags": "enabled"}))
    assert asker.get("meta-data/tags/instance/")[1].splitlines() == ["Name", "a/b"]
    assert asker.get("meta-data/tags/instance/Name") == (200, "web 1")


def test_the_launch_key_is_listed_with_its_number() -> None:
    asker = Asker(machine(1, key_name="mine"))
    assert asker.get("meta-data/public-keys/") == (200, "0=mine")
    assert asker.get("meta-data/public-keys/0/openssh-key") == (200, "ssh-ed25519 AAAA mine")


def test_the_identity_document_tells_who_where_and_since_when(asker: Asker) -> None:
    told = json.loads(asker.get("dynamic/instance-identity/document")[1])
    assert told["instanceId"] == "i-1"
    assert told["accountId"] == ACCOUNT
    assert told["privateIp"] == "10.117.0.1"
    assert told["pendingTime"] == "2026-01-02T03:04:05Z"


def test_a_role_gives_its_keys_to_its_machine_and_no_other_role_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "_roles", lambda profile: [f"role-of-{profile}"])
    asker = Asker(machine(1, iam_instance_profile={"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/node"}))
    path = "meta-data/iam/security-credentials"
    assert asker.get(f"{path}/") == (200, "role-of-node")
    keys = json.loads(asker.get(f"{path}/role-of-node")[1])
    assert (keys["Code"], keys["AccessKeyId"], keys["SecretAccessKey"]) == ("Success", "role-of-node", "i-1")
    assert asker.get(f"{path}/role-of-others")[0] == 404


def test_a_machine_without_a_role_has_no_keys(asker: Asker) -> None:
    assert asker.get("meta-data/iam/security-credentials/any")[0] == 404
