from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from localcloud.endpoint import Endpoint, fault_pages
from localcloud.faults import Faults, Refused
from localcloud.request import Request, request_of

RUN = Request("ec2", "RunInstances")
MADE = b"<r><instanceId>i-0123456789abcdef0</instanceId><groupId>sg-0123456789abcdef0</groupId></r>"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def environ(
    service: str, method: str = "POST", path: str = "/", query: str = "", **more: Any
) -> dict[str, Any]:
    body = more.pop("body", b"")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


def form(service: str, **values: str) -> dict[str, Any]:
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    return environ(service, CONTENT_TYPE=kind, body=urlencode(values).encode())


def outcomes(faults: Faults, calls: int, request: Request = RUN) -> list[str]:
    answers = [faults.before(request) for _ in range(calls)]
    return [answer.code if answer else "fine" for answer in answers]


def test_nothing_fails_unless_it_was_asked_for() -> None:
    faults = Faults()
    assert outcomes(faults, 3) == ["fine", "fine", "fine"]
    assert not faults.machine_dies()
    assert faults.document() == {"refused": [], "late_seconds": 0.0, "dead_machines": 0, "full_zones": []}


def test_the_nth_call_fails_and_as_many_after_it_as_asked_for() -> None:
    faults = Faults()
    faults.refuse(Refused("RunInstances", "InsufficientInstanceCapacity", nth=2, count=2))
    bad = "InsufficientInstanceCapacity"
    assert outcomes(faults, 5) == ["fine", bad, bad, "fine", "fine"]


def test_calls_of_other_actions_are_neither_counted_nor_failed() -> None:
    faults = Faults()
    faults.refuse(Refused("RunInstances", "Broken", nth=2))
    assert outcomes(faults, 2, Request("ec2", "CreateTags")) == ["fine", "fine"]
    assert outcomes(faults, 2) == ["fine", "Broken"]


def test_two_faults_of_one_action_come_one_after_the_other() -> None:
    faults = Faults()
    faults.refuse(Refused("RunInstances", "First"))
    faults.refuse(Refused("RunInstances", "Second"))
    assert outcomes(faults, 3) == ["First", "Second", "fine"]


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [
        ("ec2", 503, "RequestLimitExceeded"),
        ("s3", 503, "SlowDown"),
        ("ssm", 400, "ThrottlingException"),
        *((one, 400, "Throttling") for one in ("autoscaling", "elasticloadbalancing", "iam", "sts", "sns")),
    ],
)
def test_a_service_throttles_with_its_own_code(service: str, status: int, code: str) -> None:
    faults = Faults()
    faults.refuse(Refused("Do"))
    refusal = faults.before(Request(service, "Do"))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (status, code)


def test_a_fault_of_the_server_has_a_status_of_the_server() -> None:
    faults = Faults()
    faults.refuse(Refused("RunInstances", "InternalError"))
    refusal = faults.before(RUN)
    assert refusal is not None
    assert refusal.status == 500


def test_what_was_made_is_not_found_by_name_until_its_time_has_come() -> None:
    clock = Clock()
    faults = Faults(clock)
    faults.show_late(3)
    faults.after(RUN, [MADE])
    describe = Request("ec2", "DescribeInstances", frozenset({"i-0123456789abcdef0"}))
    assert outcomes(faults, 1, describe) == ["InvalidInstanceID.NotFound"]
    clock.now += 3
    assert outcomes(faults, 1, describe) == ["fine"]


def test_what_was_there_before_is_still_found() -> None:
    faults = Faults()
    faults.show_late(3)
    faults.after(RUN, [MADE])
    described = Request("ec2", "DescribeSecurityGroups", frozenset({"sg-0123456789abcdef0"}))
    assert faults.before(described) is None


def test_as_many_machines_die_as_were_asked_for() -> None:
    faults = Faults()
    faults.lose_machines(2)
    assert [faults.machine_dies() for _ in range(3)] == [True, True, False]


def test_clearing_lets_everything_go_well_again() -> None:
    faults = Faults()
    faults.refuse(Refused("RunInstances", "Broken"))
    faults.show_late(3)
    faults.after(RUN, [MADE])
    faults.lose_machines(1)
    faults.clear()
    assert outcomes(faults, 1) == ["fine"]
    assert outcomes(faults, 1, Request("ec2", "DescribeInstances", frozenset({"i-0123456789abcdef0"}))) == [
        "fine"
    ]
    assert not faults.machine_dies()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (form("ec2", Action="RunInstances", ImageId="ami-1"), ("ec2", "RunInstances", True)),
        (form("ec2", Action="DescribeInstances"), ("ec2", "DescribeInstances", False)),
        (environ("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.PutParameter"), ("ssm", "PutParameter", True)),
        (environ("s3", "GET", "/bucket/a/b"), ("s3", "GetObject", False)),
        (environ("s3", "PUT", "/bucket/a/b"), ("s3", "PutObject", True)),
        (environ("s3", "PUT", "/bucket/a/b", "partNumber=1&uploadId=x"), ("s3", "UploadPart", True)),
        (environ("s3", "POST", "/bucket", "delete"), ("s3", "DeleteObjects", True)),
        (environ("s3", "PUT", "/bucket"), ("s3", "CreateBucket", True)),
        (
            environ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset"),
            ("route53", "ChangeResourceRecordSets", True),
        ),
        (environ("lambda", "GET", "/2015-03-31/functions"), ("lambda", "", False)),
        (environ("lambda", "POST", "/2015-03-31/functions"), ("lambda", "", True)),
    ],
)  # fmt: skip
def test_a_request_tells_its_service_and_action_and_whether_it_changes_anything(
    asked: dict[str, Any], expected: tuple[str, str, bool]
) -> None:
    request = request_of(asked)
    assert (request.service, request.action, request.changes) == expected


def test_a_signed_address_tells_the_service_too() -> None:
    asked = environ(
        "", "PUT", "/bucket/key", "X-Amz-Credential=local%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    )
    del asked["HTTP_AUTHORIZATION"]
    assert request_of(asked) == Request("s3", "PutObject", method="PUT")


def test_the_body_of_a_request_can_be_read_again() -> None:
    asked = form("ec2", Action="RunInstances", ImageId="ami-1")
    assert request_of(asked).values == {"RunInstances", "ami-1"}
    assert asked["wsgi.input"].read() == b"Action=RunInstances&ImageId=ami-1"


class Desk:
    """An endpoint over an application that answers with what a launch makes."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.changes: list[str] = []
        self.status = ""
        self.endpoint = Endpoint(
            self._aws,
            self._passing,
            lambda request: self.changes.append(request.action),
            self.faults,
            fault_pages(self.faults),
        )

    def ask(self, asked: dict[str, Any]) -> bytes:
        return b"".join(self.endpoint(asked, self._start))

    def set(self, **wanted: Any) -> dict[str, Any]:
        path = "/local-cloud/faults"
        return dict(json.loads(self.ask(environ("", path=path, body=json.dumps(wanted).encode()))))

    def _start(self, status: str, _: list[tuple[str, str]]) -> None:
        self.status = status

    @staticmethod
    def _aws(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [MADE]

    @staticmethod
    @contextmanager
    def _passing() -> Iterator[None]:
        yield


def test_a_refused_call_never_reaches_aws_and_changes_nothing() -> None:
    desk = Desk()
    desk.set(refuse={"action": "RunInstances", "code": "InsufficientInstanceCapacity"})
    said = desk.ask(form("ec2", Action="RunInstances"))
    assert b"<Code>InsufficientInstanceCapacity</Code>" in said
    assert desk.status == "400 Fault"
    assert desk.changes == []
    assert desk.ask(form("ec2", Action="RunInstances")) == MADE
    assert desk.changes == ["RunInstances"]


def test_reading_is_no_change() -> None:
    desk = Desk()
    assert desk.ask(form("ec2", Action="DescribeInstances")) == MADE
    assert desk.changes == []


def test_the_page_sets_shows_and_clears_faults() -> None:
    desk = Desk()
    set_ = {"refused": [], "late_seconds": 2.0, "dead_machines": 1, "full_zones": ["us-east-1a"]}
    assert desk.set(late_seconds=2, dead_machines=1, full_zone="us-east-1a") == set_
    assert desk.set() == set_
    assert desk.set(clear=True) == {"refused": [], "late_seconds": 0.0, "dead_machines": 0, "full_zones": []}


@pytest.mark.parametrize("wanted", [{"refuse": {"action": "X", "often": 3}}, {"late_seconds": "soon"}])
def test_a_fault_that_is_not_understood_is_refused(wanted: dict[str, Any]) -> None:
    desk = Desk()
    assert "error" in desk.set(**wanted)
    assert desk.status == "400 Bad Request"
    assert desk.faults.document() == Faults().document()
