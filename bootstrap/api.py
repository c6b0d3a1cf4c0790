"""The few calls to AWS that a node makes: signed, patient with throttling, aware of a wrong clock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from bootstrap.backoff import Backoff
from bootstrap.clock import Clock
from bootstrap.errors import ApiError, UnreachableError
from bootstrap.signature import Credentials, Request, signed
from bootstrap.web import Answer, Ask

TIMEOUT_SECONDS = 5.0
_THROTTLED = re.compile(
    r".*Throttl.*|RequestLimitExceeded|TooManyRequestsException|SlowDown|PriorRequestNotComplete"
)
_EXPIRED = re.compile(r"ExpiredToken.*|RequestExpired|InvalidClientTokenId|UnrecognizedClientException")
_CLOCK = re.compile(
    r"SignatureDoesNotMatch|InvalidSignatureException|RequestTimeTooSkewed|RequestExpired|.*InTheFuture"
)
_WRONG_CLOCK_SECONDS = 60


@dataclass(frozen=True)
class Service:
    """An AWS service; `version` is that of a query API, `target` the prefix of a JSON one."""

    name: str
    version: str = ""
    target: str = ""


CLASSIC = Service("elasticloadbalancing", "2012-06-01")
TARGETS = Service("elasticloadbalancing", "2015-12-01")
EC2 = Service("ec2", "2016-11-15")
SCALING = Service("autoscaling", "2011-01-01")
MONITORING = Service("monitoring", "2010-08-01")
LOGS = Service("logs", target="Logs_20140328")
SSM = Service("ssm", target="AmazonSSM")
SECRETS = Service("secretsmanager", target="secretsmanager")
S3 = Service("s3")


@dataclass(eq=False)
class Api:
    """AWS as a node sees it.

    `patience_seconds` is how long a call is tried that is throttled or unanswered.
    """

    region: str
    credentials: Callable[[], Credentials]
    ask: Ask
    clock: Clock
    say: Callable[[str], None]
    endpoint_url: str = ""
    patience_seconds: float = 180.0
    backoff: Backoff = field(default_factory=Backoff)
    _held: Credentials | None = field(default=None, repr=False)
    _ahead: timedelta = timedelta()

    def query(self, service: Service, action: str, parameters: Mapping[str, str]) -> ET.Element:
        """Call a query API. Raises ApiError when AWS refuses, UnreachableError when it does not answer."""
        form = {"Action": action, "Version": service.version, **parameters}
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = Request("POST", self._url(service), kind, urlencode(form).encode())
        return _plain(self._call(service, action, request).body)

    def json(self, service: Service, action: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Call a JSON API. Raises like `query`."""
        kind = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{service.target}.{action}"}
        request = Request("POST", self._url(service), kind, json.dumps(document).encode())
        return dict(json.loads(self._call(service, action, request).body or "{}"))

    def list_bucket(self, bucket: str, prefix: str) -> None:
        """See whether a bucket can be listed below a prefix. Raises like `query`."""
        asked = urlencode({"list-type": "2", "max-keys": "1", "prefix": prefix}, quote_via=quote)
        self._call(S3, "ListObjectsV2", Request("GET", f"{self._url(S3)}{bucket}?{asked}", {}))

    def _url(self, service: Service) -> str:
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return (self.endpoint_url or f"https://{service.name}.{self.region}.{domain}").rstrip("/") + "/"

    def _call(self, service: Service, action: str, request: Request) -> Answer:
        end = self.clock.monotonic() + self.patience_seconds
        for pause in self.backoff.pauses():
            last = self._attempt(service, action, request)
            if isinstance(last, Answer):
                return last
            if self.clock.monotonic() + pause > end:
                raise last
            self.clock.sleep(pause)
        raise AssertionError

    def _attempt(
        self, service: Service, action: str, request: Request
    ) -> Answer | ApiError | UnreachableError:
        """Answer, or the error that may pass. Raises ApiError for one that does not."""
        for again in (True, True, False):  # once for keys that have expired, once for a wrong clock
            try:
                answer = self._send(service, request)
            except OSError as why:
                return UnreachableError(
                    f"{action}: {self._url(service)} does not answer: {why}",
                    "is there a route to it, and does the security group let it out?",
                )
            if answer.status < 300:
                return answer
            refusal = _refusal(action, answer)
            if not (again and self._mended(refusal.code, answer)):
                break
        if answer.status >= 500 or _THROTTLED.fullmatch(refusal.code):
            return refusal
        raise refusal

    def _send(self, service: Service, request: Request) -> Answer:
        whole = signed(request, self._keys(), service.name, self.region, self.clock.now() + self._ahead)
        return self.ask(whole.method, whole.url, TIMEOUT_SECONDS, whole.headers, whole.body)

    def _keys(self) -> Credentials:
        held = self._held
        if held is None or (held.expires and held.expires - self.clock.now().timestamp() < 60):
            held = self._held = self.credentials()
        return held

    def _mended(self, code: str, answer: Answer) -> bool:
        """Whether what was wrong with the signature has been put right, so that trying again makes sense."""
        if _CLOCK.fullmatch(code) and self._corrected(answer):
            return True
        if _EXPIRED.fullmatch(code):
            before, self._held = self._held, None
            return self._keys() != before
        return False

    def _corrected(self, answer: Answer) -> bool:
        date = answer.headers.get("date")
        if not date:
            return False
        ahead = parsedate_to_datetime(date) - self.clock.now()
        if abs((ahead - self._ahead).total_seconds()) < _WRONG_CLOCK_SECONDS:
            return False
        self._ahead = ahead
        self.say(f"clock: {wrong_by(ahead)}; calls to AWS are signed with its time")
        return True


def wrong_by(ahead: timedelta) -> str:
    """Say how wrong this clock is, given how far the right one is ahead of it."""
    seconds = ahead.total_seconds()
    return f"this clock is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead'}"


def members(name: str, values: Iterable[str], field_name: str = "") -> dict[str, str]:
    """Return a list as a query API wants it: `Names.member.1=a`, or `Instances.member.1.InstanceId=i-1`."""
    tail = f".{field_name}" if field_name else ""
    return {f"{name}.member.{number}{tail}": value for number, value in enumerate(values, 1)}


def _refusal(action: str, answer: Answer) -> ApiError:
    code, message = _json_error(answer) if answer.body.lstrip().startswith("{") else _xml_error(answer)
    hint = ""
    if re.search(r"AccessDenied|Unauthorized|NotAuthorized|Forbidden", code):
        hint = f"the role of this instance lacks what {action} needs; see bootstrap/node-policy.json"
    return ApiError(
        f"{action}: {message or 'refused'} ({code or answer.status})", hint, code or str(answer.status)
    )


def _json_error(answer: Answer) -> tuple[str, str]:
    try:
        held = json.loads(answer.body)
    except ValueError:
        return "", ""
    return str(held.get("__type", "")).rpartition("#")[2], str(
        held.get("message") or held.get("Message") or ""
    )


def _xml_error(answer: Answer) -> tuple[str, str]:
    try:
        root = _plain(answer.body)
    except ET.ParseError:
        return "", ""
    return root.findtext(".//Code") or root.findtext("Code") or "", root.findtext(".//Message") or ""


def _plain(text: str) -> ET.Element:
    """Parse XML and take the namespaces off its names."""
    root = ET.fromstring(text)  # noqa: S314 - from AWS, over a connection of our own
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root
