from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bootstrap.announcement import log, tags
from bootstrap.errors import ApiError, SecretError
from bootstrap.secrets import Vault
from bootstrap.state import Result, State


class Api:
    """Answers of JSON services by action, an exception is raised."""

    def __init__(self, clock: Any, **answers: Any) -> None:
        self.clock = clock
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def json(self, _: Any, action: str, document: Mapping[str, Any]) -> Any:
        self.asked.append((action, document))
        answer = self.answers.get(action, {})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def vault(clock: Any) -> Any:
    def made(**answers: Any) -> tuple[Vault, Api]:
        api = Api(clock, **answers)
        return Vault(lambda: api), api  # type: ignore[arg-type,return-value]

    return made


def parameter(value: str, kind: str = "SecureString") -> dict[str, Any]:
    return {"Parameter": {"Value": value, "Type": kind}}


@pytest.mark.parametrize(
    ("kind", "name", "asked"),
    [
        ("cred", "/web/password", "/web/password"),
        ("cred", "ssm:password", "password"),
        ("key", "key-0abc", "/ec2/keypair/key-0abc"),
        ("key", "/web/key", "/web/key"),
    ],
)
def test_a_path_is_of_parameter_store(vault: Any, kind: str, name: str, asked: str) -> None:
    read, api = vault(GetParameter=parameter("hush"))
    assert read(kind, name) == "hush"
    assert api.asked == [("GetParameter", {"Name": asked, "WithDecryption": True})]


def test_a_name_is_of_secrets_manager_and_may_ask_for_a_field(vault: Any) -> None:
    read, api = vault(GetSecretValue={"SecretString": '{"user": "web", "password": "hush"}'})
    assert read("cred", "prod/db#password") == "hush"
    assert api.asked == [("GetSecretValue", {"SecretId": "prod/db"})]


@pytest.mark.parametrize(
    ("answers", "name", "complaint"),
    [
        ({"GetParameter": parameter("x", "String")}, "/a", "/a lies open in Parameter Store"),
        ({"GetSecretValue": {"SecretBinary": "AA"}}, "a", "cred:a is not a text"),
        ({"GetSecretValue": {"SecretString": "plain"}}, "a#b", "cred:a has no text 'b'"),
        ({"GetSecretValue": {"SecretString": '{"b": 1}'}}, "a#b", "cred:a has no text 'b'"),
        ({"GetSecretValue": ApiError("not there", code="x")}, "a", "cred:a cannot be read: not there"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(vault: Any, answers: Any, name: str, complaint: str) -> None:
    with pytest.raises(SecretError) as caught:
        vault(**answers)[0]("cred", name)
    assert str(caught.value) == complaint
    assert caught.value.hint


def test_a_reason_fits_a_tag() -> None:
    shown = tags(State("stranded", "", reason="two\nlines " + "x" * 300))
    assert shown["bootstrap:reason"].startswith("two lines x")
    assert len(shown["bootstrap:reason"]) == 256


def test_an_event_makes_the_group_and_the_stream_it_needs(clock: Any) -> None:
    absent = ApiError("no stream", code="ResourceNotFoundException")
    exists = ApiError("there", code="ResourceAlreadyExistsException")
    api = Api(clock, PutLogEvents=[absent, {}], CreateLogGroup=exists)
    log(api, "nodes", State("operational", "", instance_id="i-1", scripts=(Result("a"),)))  # type: ignore[arg-type]
    assert [one for one, _ in api.asked] == [
        "PutLogEvents", "CreateLogGroup", "CreateLogStream", "PutLogEvents",
    ]  # fmt: skip
    put = api.asked[-1][1]
    assert (put["logGroupName"], put["logStreamName"]) == ("nodes", "i-1")
    assert '"state": "operational"' in put["logEvents"][0]["message"]
