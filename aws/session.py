"""One session with AWS, and the clients that everyone is passed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries.standard import RetryContext, ThrottledRetryableChecker
from botocore.session import Session as CoreSession
from botocore.utils import parse_timestamp

from aws.errors import NoAccess
from aws.patience import Backoff

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

# botocore's standard mode retries throttling, resets and 5xx with exponential back-off and full jitter;
# ten attempts span about two minutes. It does so on credit, of which every refusal costs some: who asks long
# enough while half of all calls are refused has none left. Throttling is retried regardless: see `_despite`.
_POLICY = Config(
    retries={"mode": "standard", "total_max_attempts": 10},
    connect_timeout=5,
    read_timeout=60,
    user_agent_extra="amibake",
)
_THROTTLED_ATTEMPTS = 20
_is_throttling = ThrottledRetryableChecker().is_retryable
# Full jitter up to twenty seconds, as botocore has it.
_BACK_OFF = Backoff(delay_seconds=20, budget_seconds=0)


@dataclass(frozen=True)
class Cloud:
    """The clients of one account in one region.

    All but the one that everybody needs are made when first asked for: each costs a start some 30 ms.
    Ask for them before sharing a cloud with threads: boto3 makes clients in one thread at a time.
    """

    ec2: EC2Client
    region: str
    account: str
    session: boto3.Session = field(default_factory=boto3.Session, repr=False)
    endpoint_url: str | None = None
    """Where all services answer, where that is not AWS: clients made later must not go elsewhere."""

    @cached_property
    def iam(self) -> IAMClient:
        """Roles and instance profiles."""
        return self.session.client("iam", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def s3(self) -> S3Client:
        """Buckets."""
        return self.session.client("s3", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def ssm(self) -> SSMClient:
        """Parameters."""
        return self.session.client("ssm", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def elb(self) -> ElasticLoadBalancingClient:
        """Classic load balancers."""
        return self.session.client("elb", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Application and network load balancers, and their target groups."""
        return self.session.client("elbv2", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        """Auto scaling groups."""
        return self.session.client("autoscaling", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics and alarms."""
        return self.session.client("cloudwatch", config=_POLICY, endpoint_url=self.endpoint_url)

    @cached_property
    def route53(self) -> Route53Client:
        """Names."""
        return self.session.client("route53", config=_POLICY, endpoint_url=self.endpoint_url)


def connect() -> Cloud:
    """Clients from the ordinary credential chain; AWS_ENDPOINT_URL aims them elsewhere.

    Raises NoAccess when there are no credentials or no region, or when AWS does not take them.
    """
    try:
        # boto3 itself reads only AWS_DEFAULT_REGION and the profile, every other tool AWS_REGION first.
        session = boto3.Session(
            region_name=os.environ.get("AWS_REGION") or None, botocore_session=_core_session()
        )
    except BotoCoreError as why:
        raise NoAccess(f"the AWS configuration cannot be used: {why}", "see `aws configure list`") from why
    if session.region_name is None:
        raise NoAccess(
            "no AWS region is set", "export AWS_REGION=eu-central-1, or set one with `aws configure`"
        )
    if session.get_credentials() is None:
        raise NoAccess(
            "no AWS credentials were found",
            "run `aws configure` or `aws sso login`, or leave --cloud at `local`, which needs none",
        )
    try:
        account = session.client("sts", config=_POLICY).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as why:
        raise NoAccess(
            f"AWS does not take these credentials: {why}", "run `aws sts get-caller-identity`"
        ) from why
    return Cloud(
        ec2=session.client("ec2", config=_POLICY),
        region=session.region_name,
        account=account,
        session=session,
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
    )


def _core_session() -> CoreSession:
    """One that reads times quickly: by botocore's own way they are a third of what describing nodes costs."""
    core = CoreSession()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    # Of several who are asked whether to retry, the first one's word counts, and botocore's own is the first.
    despite: Any = _despite
    core.register("needs-retry", despite)
    return core


def _despite(response: Any, attempts: int, **_: Any) -> float | None:
    """In how many seconds to repeat a throttled call that botocore has no credit for; None: not at all."""
    if response is None or attempts >= _THROTTLED_ATTEMPTS:
        return None
    http, parsed = response
    # The answer to HEAD has no body with a code.
    throttled = http.status_code in (429, 503) or _is_throttling(RetryContext(attempts, None, parsed, http))
    return _BACK_OFF.pause(attempts + 1) if throttled else None


def _moment(told: Any) -> datetime:
    """A time as AWS tells it: mostly ISO 8601, of some services seconds or an HTTP date."""
    if isinstance(told, str) and told.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(told)
    return parse_timestamp(told)
