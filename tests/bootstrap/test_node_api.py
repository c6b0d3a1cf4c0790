from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from bootstrap.api import CLASSIC, EC2, SSM, Api, members
from bootstrap.backoff import Backoff, start_delay
from bootstrap.errors import ApiError, UnreachableError
from bootstrap.signature import Credentials, Request, signed
from bootstrap.web import Answer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session")
THROTTLED = Answer(
    400, "<R xmlns='x'><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></R>"
)


class Aws:
    """Answers of AWS, one after the other, the last one for ever; an exception is raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def __call__(
        self, method: str, url: str, _: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        self.asked.append(Request(method, url, headers or {}, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def api(aws: Aws, clock: Any, said: list[str] | None = None, **more: Any) -> Api:
    backoff = Backoff(jitter=lambda _, most: most)
    keys = more.pop("credentials", lambda: KEYS)
    return Api("eu-central-1", keys, aws, clock, (said or []).append, backoff=backoff, **more)


@pytest.mark.parametrize(
    ("service", "method", "path", "body"),
    [
        ("elasticloadbalancing", "POST", "/", b"Action=DescribeLoadBalancers&Version=2012-06-01"),
        ("s3", "GET", "/photos?list-type=2&prefix=a%2Fb%20c%C3%A4&max-keys=1", b""),
        ("ssm", "POST", "/", b'{"Name": "/web/\xc3\xa4"}'),
    ],
)
def test_a_request_is_signed_as_botocore_signs_it(service: str, method: str, path: str, body: bytes) -> None:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as TheirCredentials

    url = f"https://{service}.eu-central-1.amazonaws.com{path}"
    theirs = AWSRequest(method, url, {"Content-Type": "x/y"}, body)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        TheirCredentials(KEYS.access_key, KEYS.secret_key, KEYS.token), service, "eu-central-1"
    )
    signer.add_auth(theirs)
    when = datetime.strptime(theirs.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed(Request(method, url, {"Content-Type": "x/y"}, body), KEYS, service, "eu-central-1", when)
    assert ours.headers["Authorization"] == theirs.headers["Authorization"]


def test_a_query_carries_action_version_and_parameters_and_names_lose_their_namespace(clock: Any) -> None:
    aws = Aws(Answer(200, '<R xmlns="http://x/"><Names><member>web</member></Names></R>'))
    found = api(aws, clock).query(CLASSIC, "DescribeLoadBalancers", members("Names", ["web"]))
    assert [one.text for one in found.iter("member")] == ["web"]
    assert aws.asked[0].url == "https://elasticloadbalancing.eu-central-1.amazonaws.com/"
    assert parse_qs(aws.asked[0].body.decode()) == {
        "Action": ["DescribeLoadBalancers"],
        "Version": ["2012-06-01"],
        "Names.member.1": ["web"],
    }


def test_an_endpoint_of_ones_own_takes_the_place_of_aws(clock: Any) -> None:
    aws = Aws(Answer(200, "{}"))
    api(aws, clock, endpoint_url="http://10.0.0.1:8000").json(SSM, "GetParameter", {"Name": "/a"})
    assert aws.asked[0].url == "http://10.0.0.1:8000/"
    assert aws.asked[0].headers["X-Amz-Target"] == "AmazonSSM.GetParameter"


def test_nine_throttled_calls_of_ten_are_outlasted_with_growing_pauses(clock: Any) -> None:
    aws = Aws(*[THROTTLED] * 9, Answer(200, "<R/>"))
    api(aws, clock).query(CLASSIC, "DescribeInstanceHealth", {})
    assert len(aws.asked) == 10
    assert clock.monotonic() == 0.5 + 1 + 2 + 4 + 8 + 4 * 10


def test_an_endpoint_that_is_away_for_a_minute_is_waited_for(clock: Any) -> None:
    class Away(Aws):
        def __call__(self, *request: Any) -> Answer:
            if clock.monotonic() < 60:
                raise OSError("timed out")
            return super().__call__(*request)

    api(Away(Answer(200, "<R/>")), clock).query(EC2, "CreateTags", {})
    assert 60 <= clock.monotonic() < 75


def test_patience_has_an_end_and_the_error_says_who_did_not_answer(clock: Any) -> None:
    with pytest.raises(UnreachableError, match=r"CreateTags: https://ec2\..* does not answer: timed out"):
        api(Aws(OSError("timed out")), clock).query(EC2, "CreateTags", {})
    assert clock.monotonic() <= 180


def test_a_refusal_is_not_repeated_and_names_what_the_role_lacks(clock: Any) -> None:
    body = "<R><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></R>"
    aws = Aws(Answer(403, body))
    with pytest.raises(ApiError, match=r"CreateTags: no \(UnauthorizedOperation\)") as caught:
        api(aws, clock).query(EC2, "CreateTags", {})
    assert (len(aws.asked), caught.value.code) == (1, "UnauthorizedOperation")
    assert "lacks what CreateTags needs; see bootstrap/node-policy.json" in caught.value.hint


def test_a_refusal_of_a_json_service_is_read_too(clock: Any) -> None:
    aws = Aws(Answer(400, '{"__type": "com.amazonaws#ParameterNotFound", "message": "not there"}'))
    with pytest.raises(ApiError, match="not there") as caught:
        api(aws, clock).json(SSM, "GetParameter", {"Name": "/a"})
    assert caught.value.code == "ParameterNotFound"


def test_a_wrong_clock_is_said_and_made_good(clock: Any) -> None:
    late = "<R><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></R>"
    date = {"date": "Fri, 02 Jan 2026 03:11:05 GMT"}
    aws, said = Aws(Answer(403, late, date), Answer(200, "<R/>")), ["-"]
    api(aws, clock, said).query(CLASSIC, "DescribeInstanceHealth", {})
    assert said[1:] == ["clock: this clock is 420 s behind; calls to AWS are signed with its time"]
    assert [one.headers["X-Amz-Date"] for one in aws.asked] == ["20260102T030405Z", "20260102T031105Z"]


def test_a_wrong_key_is_no_wrong_clock(clock: Any) -> None:
    body = "<R><Error><Code>SignatureDoesNotMatch</Code><Message>bad key</Message></Error></R>"
    aws = Aws(Answer(403, body, {"date": "Fri, 02 Jan 2026 03:04:06 GMT"}))
    with pytest.raises(ApiError, match="bad key"):
        api(aws, clock).query(CLASSIC, "DescribeInstanceHealth", {})
    assert len(aws.asked) == 1


def test_keys_that_were_rotated_are_fetched_anew(clock: Any) -> None:
    expired = Answer(403, "<R><Error><Code>ExpiredToken</Code><Message>old</Message></Error></R>")
    held = [Credentials("A", "s"), Credentials("B", "s")]
    aws = Aws(expired, Answer(200, "<R/>"))
    api(aws, clock, credentials=lambda: held.pop(0)).query(EC2, "CreateTags", {})
    assert ["Credential=B" in one.headers["Authorization"] for one in aws.asked] == [False, True]


def test_keys_that_are_about_to_expire_are_fetched_anew(clock: Any) -> None:
    soon = NOW.timestamp() + 30
    held = [Credentials("A", "s", expires=soon), Credentials("B", "s", expires=soon + 3600)]
    aws = Aws(Answer(200, "<R/>"))
    one = api(aws, clock, credentials=lambda: held.pop(0))
    one.query(EC2, "CreateTags", {})
    one.query(EC2, "CreateTags", {})
    one.query(EC2, "CreateTags", {})
    assert "Credential=B" in aws.asked[-1].headers["Authorization"]
    assert held == []


@pytest.mark.parametrize(("nodes", "longest"), [(1, 0.1), (10, 1.0), (150, 15.0), (5000, 15.0)])
def test_a_start_is_spread_by_the_size_of_the_deployment(nodes: int, longest: float) -> None:
    assert start_delay(nodes, lambda _, most: most) == longest
