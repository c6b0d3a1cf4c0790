"""Every key of a deployment file has an effect: what it says is heard in a call, and only when it says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_calls import sent

from fleet import inputs_check
from fleet.deployment import parse
from fleet.errors import DeploymentError
from fleet.table import Table

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment

HERE = Path(__file__).parent
CERTIFICATE = "arn:aws:iam::123456789012:server-certificate/shop"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"

SHOP: dict[str, Any] = {
    "name": "shop",
    "template": {
        "web": {"count": 1, "open": [{"port": 80, "from": "load_balancers"}]},
        "batch": {"count": 0},
    },
    "load_balancer": {"front": {}, "back": {}},
    "alarm": {"late": {"watch": "latency", "above": 0.5, "load_balancer": "front"}},
}
DNS = {"dns": {"zone": "shop.test", "name": "img.a.shop.test", "load_balancer": "front", "make_zone": True}}
BUCKET = {"bucket": {"name": "photos-of-shop", "owned": True}}
RULES = {"min": 2, "max": 6, "target_cpu_percent": 60, "templates": ["web"]}
MORNING = {"name": "morning", "cron": "0 6 * * *", "min": 4, "max": 6}
SCALED: dict[str, Any] = {
    "scaling": {**RULES, "schedule": [MORNING]},
    "load_balancer.front.type": "application",
}
BY_CPU = {
    **SCALED,
    "scaling.templates": ["web", "batch"],
    "alarm.late": {"watch": "cpu", "above": 80, "template": "web"},
}
V2 = {"load_balancer.front.type": "application"}
HTTPS = {
    **V2,
    "load_balancer.front.listeners": ["HTTPS:443=HTTP:80"],
    "load_balancer.front.certificate": CERTIFICATE,
}
NLB = {
    "load_balancer.front.type": "network",
    "load_balancer.front.health_check": "TCP:80",
    "alarm.late.watch": "unhealthy_hosts",
}

# What is there besides; the key; what it says; the call in which that is heard, and how it sounds there.
OF_DESK = '"FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "192.0.2.7/32"}]'

Row = tuple[dict[str, Any], str, Any, str, str]
Before = Callable[[dict[str, Any]], dict[str, str]]
KEYS: list[Row] = [
    ({}, "name", "stall", "CreateLaunchTemplate", '"LaunchTemplateName": "amibake-stall-web"'),
    ({}, "zones", ["eu-central-1b"], "RunInstances", '"SubnetId": "subnet of eu-central-1b"'),
    ({}, "subnets", ["subnet of eu-central-1c"], "RunInstances", '"SubnetId": "subnet of eu-central-1c"'),
    ({}, "tags.team", "photos", "CreateLaunchTemplate", '{"Key": "team", "Value": "photos"}'),
    ({}, "inputs.LIMIT", "text:7", "CreateLaunchTemplate", '"LIMIT": "text:7"'),
    (BUCKET, "bucket.name", "their-photos", "CreateBucket", '"Bucket": "their-photos"'),
    ({"bucket": {"name": "a-shop"}}, "bucket.owned", True, "CreateBucket", '"Bucket": "a-shop"'),
    (BUCKET, "bucket.sample", "cat.jpg", "PutObject", '"Key": "cat.jpg"'),
    ({}, "template.web.count", 2, "RunInstances", '"SubnetId": "subnet of eu-central-1b"'),
    ({}, "template.web.image", "other", "CreateLaunchTemplate", '"ImageId": "image other"'),
    ({}, "template.web.instance_type", "c7i.large", "CreateLaunchTemplate", '"InstanceType": "c7i.large"'),
    ({}, "template.web.root_gib", 40, "CreateLaunchTemplate", '"VolumeSize": 40'),
    ({}, "template.web.open.0.port", 8080, "AuthorizeSecurityGroupIngress", '"FromPort": 8080'),
    ({}, "template.web.open.0.from", "10.9.0.0/16", "AuthorizeSecurityGroupIngress",
     '"CidrIp": "10.9.0.0/16"'),
    ({}, "template.web.open.0.from", "desk", "AuthorizeSecurityGroupIngress",
     f'"group amibake-shop-web", "IpPermissions": [{{"IpProtocol": "tcp", {OF_DESK}'),
    ({}, "template.web.security_groups", ["group theirs"], "CreateLaunchTemplate", '"group theirs"'),
    ({}, "template.web.policy", "../../bootstrap/node-policy.json", "PutRolePolicy", "${load_balancers}"),
    ({}, "template.web.run_lists.boot", ["cache-volume"], "CreateLaunchTemplate", '"boot": ["cache-volume"]'),
    ({}, "template.web.run_lists.operational", ["purge"], "CreateLaunchTemplate", '"operational": ["purge"]'),
    ({}, "template.web.run_lists.decommission", ["purge"], "CreateLaunchTemplate",
     '"decommission": ["purge"]'),
    ({}, "template.web.inputs.DEPTH", "text:8", "CreateLaunchTemplate", '"DEPTH": "text:8"'),
    ({}, "template.web.load_balancers", ["back"], "CreateLaunchTemplate",
     '"CLASSIC_LOAD_BALANCERS": "array:[\\"text:shop-back\\"]"'),
    ({}, "load_balancer.front.type", "application", "CreateLoadBalancer", '"Type": "application"'),
    ({}, "load_balancer.front.listeners", ["HTTP:8080=HTTP:80"], "CreateLoadBalancer",
     '"LoadBalancerPort": 8080'),
    (V2, "load_balancer.front.listeners", ["HTTP:8080=HTTP:80"], "CreateListener", '"Port": 8080'),
    (HTTPS, "load_balancer.front.certificate", f"{CERTIFICATE}-2", "CreateListener",
     f'"CertificateArn": "{CERTIFICATE}-2"'),
    ({}, "load_balancer.front.health_check", "TCP:80", "ConfigureHealthCheck", '"Target": "TCP:80"'),
    (V2, "load_balancer.front.health_check", "HTTP:80/up", "CreateTargetGroup", '"HealthCheckPath": "/up"'),
    ({}, "load_balancer.front.interval_seconds", 20, "ConfigureHealthCheck", '"Interval": 20'),
    (V2, "load_balancer.front.interval_seconds", 20, "CreateTargetGroup", '"HealthCheckIntervalSeconds": 20'),
    (NLB, "load_balancer.front.interval_seconds", 20, "CreateTargetGroup",
     '"HealthCheckIntervalSeconds": 20'),
    ({}, "load_balancer.front.timeout_seconds", 3, "ConfigureHealthCheck", '"Timeout": 3'),
    (V2, "load_balancer.front.timeout_seconds", 3, "CreateTargetGroup", '"HealthCheckTimeoutSeconds": 3'),
    ({}, "load_balancer.front.healthy", 3, "ConfigureHealthCheck", '"HealthyThreshold": 3'),
    (V2, "load_balancer.front.healthy", 3, "CreateTargetGroup", '"HealthyThresholdCount": 3'),
    ({}, "load_balancer.front.unhealthy", 4, "ConfigureHealthCheck", '"UnhealthyThreshold": 4'),
    (V2, "load_balancer.front.unhealthy", 4, "CreateTargetGroup", '"UnhealthyThresholdCount": 4'),
    ({}, "load_balancer.front.draining_seconds", 77, "ModifyLoadBalancerAttributes", '"Timeout": 77'),
    (V2, "load_balancer.front.draining_seconds", 77, "ModifyTargetGroupAttributes", '"Value": "77"'),
    (NLB, "load_balancer.front.draining_seconds", 77, "ModifyTargetGroupAttributes", '"Value": "77"'),
    ({"load_balancer": {"front": {"cross_zone": False}}}, "load_balancer.front.cross_zone", True,
     "ModifyLoadBalancerAttributes",
     '"CrossZoneLoadBalancing": {"Enabled": true}'),
    (V2, "load_balancer.front.cross_zone", False, "ModifyTargetGroupAttributes",
     '"load_balancing.cross_zone.enabled", "Value": "false"'),
    ({**NLB, "load_balancer.front.cross_zone": False}, "load_balancer.front.cross_zone", True,
     "ModifyLoadBalancerAttributes",
     '"load_balancing.cross_zone.enabled", "Value": "true"'),
    ({}, "load_balancer.front.internal", True, "CreateLoadBalancer", '"Scheme": "internal"'),
    (V2, "load_balancer.front.internal", True, "CreateLoadBalancer", '"Scheme": "internal"'),
    ({}, "load_balancer.front.allow_from", ["198.51.100.0/24"], "AuthorizeSecurityGroupIngress",
     '"CidrIp": "198.51.100.0/24"'),
    (NLB, "load_balancer.front.allow_from", ["198.51.100.0/24"], "AuthorizeSecurityGroupIngress",
     '"CidrIp": "198.51.100.0/24"'),
    (DNS, "dns.zone", "a.shop.test", "CreateHostedZone", '"Name": "a.shop.test"'),
    (DNS, "dns.name", "www.shop.test", "ChangeResourceRecordSets", '"Name": "www.shop.test"'),
    (DNS, "dns.type", "alias", "ChangeResourceRecordSets", '"AliasTarget"'),
    (DNS, "dns.ttl_seconds", 13, "ChangeResourceRecordSets", '"TTL": 13'),
    (DNS, "dns.load_balancer", "back", "ChangeResourceRecordSets", '"Value": "shop-back.'),
    ({"dns": {**DNS["dns"], "make_zone": False}}, "dns.make_zone", True, "CreateHostedZone",
     '"Name": "shop.test"'),
    (SCALED, "scaling.min", 3, "CreateAutoScalingGroup", '"MinSize": 3'),
    (SCALED, "scaling.max", 9, "CreateAutoScalingGroup", '"MaxSize": 9'),
    (SCALED, "scaling.target_cpu_percent", 71, "PutScalingPolicy", '"TargetValue": 71.0'),
    ({**SCALED, "scaling.target_cpu_percent": 0, "scaling.requests_per_target": 500},
     "scaling.requests_per_target", 900, "PutScalingPolicy", '"TargetValue": 900.0'),
    (SCALED, "scaling.templates", ["web", "batch"], "CreateAutoScalingGroup", '"amibake-shop-batch"'),
    (SCALED, "scaling.warm_up_seconds", 33, "CreateAutoScalingGroup", '"DefaultInstanceWarmup": 33'),
    (SCALED, "scaling.grace_seconds", 77, "CreateAutoScalingGroup", '"HealthCheckGracePeriod": 77'),
    (SCALED, "scaling.protected", True, "CreateAutoScalingGroup", '"NewInstancesProtectedFromScaleIn": true'),
    (SCALED, "scaling.schedule.0.name", "noon", "PutScheduledUpdateGroupAction",
     '"ScheduledActionName": "noon"'),
    (SCALED, "scaling.schedule.0.cron", "0 7 * * *", "PutScheduledUpdateGroupAction",
     '"Recurrence": "0 7 * * *"'),
    (SCALED, "scaling.schedule.0.min", 5, "PutScheduledUpdateGroupAction", '"MinSize": 5'),
    (SCALED, "scaling.schedule.0.max", 7, "PutScheduledUpdateGroupAction", '"MaxSize": 7'),
    ({}, "alarm.late.watch", "errors", "PutMetricAlarm", '"MetricName": "HTTPCode_Backend_5XX"'),
    ({}, "alarm.late.watch", "unhealthy_hosts", "PutMetricAlarm", '"MetricName": "UnHealthyHostCount"'),
    ({}, "alarm.late.above", 0.7, "PutMetricAlarm", '"Threshold": 0.7'),
    ({}, "alarm.late.minutes", 5, "PutMetricAlarm", '"EvaluationPeriods": 5'),
    ({}, "alarm.late.notify", [TOPIC], "PutMetricAlarm",
     f'"AlarmActions": ["{TOPIC}"], "OKActions": ["{TOPIC}"]'),
    ({}, "alarm.late.load_balancer", "back", "PutMetricAlarm",
     '{"Name": "LoadBalancerName", "Value": "shop-back"}'),
    (BY_CPU, "alarm.late.template", "batch", "PutMetricAlarm", '"Value": "amibake-shop-batch"'),
]  # fmt: skip
# What these say would keep another key of the same file from being heard.
ALONE = ("name", "zones", "subnets", "load_balancer.front.type", "dns.zone", "dns.type")


@pytest.fixture(scope="module")
def before(mock_clients: Cloud) -> Before:
    """What was heard of a file before the change; each is tried once."""
    known: dict[str, dict[str, str]] = {}

    def heard(data: dict[str, Any]) -> dict[str, str]:
        name = json.dumps(data)
        if name not in known:
            known[name] = sent(mock_clients, data)
        return known[name]

    return heard


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same file with one key that says something else."""
    made = copy.deepcopy(data)
    at: Any = made
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[last] = value
    return made


def beside(more: dict[str, Any]) -> dict[str, Any]:
    made = SHOP
    for path, value in more.items():
        made = changed(made, path, value)
    return made


def batches() -> Iterator[tuple[dict[str, Any], list[Row]]]:
    """The rows that can be tried at once: of one file, and each key once."""
    for more in {json.dumps(row[0]): row[0] for row in KEYS}.values():
        left = [row for row in KEYS if row[0] == more]
        while left:
            names = [row[1] for row in left]
            first = [row for at, row in enumerate(left) if row[1] not in (*names[:at], *ALONE)] or left[:1]
            yield more, first
            left = [row for row in left if row not in first]


@pytest.mark.parametrize(
    ("more", "rows"), list(batches()), ids=[", ".join(row[1] for row in rows)[:80] for _, rows in batches()]
)
def test_what_a_key_says_is_heard_in_a_call(
    mock_clients: Cloud, before: Before, more: dict[str, Any], rows: list[Row]
) -> None:
    base = said = beside(more)
    for _, key, value, *_ in rows:
        said = changed(said, key, value)
    then, now = before(base), sent(mock_clients, said)
    assert [(key, call) for _, key, _, call, sound in rows if sound in then.get(call, "")] == []
    assert [(key, call, sound) for _, key, _, call, sound in rows if sound not in now.get(call, "")] == []


# --- what is only looked at here ---


def with_script(folder: Path, **template: Any) -> Deployment:
    (folder / "scripts").mkdir()
    (folder / "settings.toml").write_text(
        'services = []\nhealth_url = "http://127.0.0.1/"\n[run_lists]\nboot = ["mount"]\n'
    )
    (folder / "scripts" / "mount").write_text(
        "#!/bin/sh\n# ---\n# RightScript Name: Mount\n# Description: Mounts a disk\n# Inputs:\n#   DISK:\n"
        "#     Category: Disks\n#     Description: Which\n#     Required: true\n# ...\n"
    )
    return parse(folder / "shop.toml", {"name": "shop", "template": {"web": template}})


@pytest.mark.parametrize("key", ["settings", "scripts"])
def test_inputs_are_held_against_the_settings_and_the_scripts_that_the_file_names(
    tmp_path: Path, key: str
) -> None:
    named = {"settings": "settings.toml", "scripts": "scripts"}
    (web,) = with_script(tmp_path, **named).templates
    assert any("DISK" in one for one in inputs_check.faults(web, {}))
    assert not list(inputs_check.faults(web, {"DISK": "text:sdb"}))
    left = {name: path for name, path in named.items() if name != key}
    (other,) = parse(tmp_path / "shop.toml", {"name": "shop", "template": {"web": left}}).templates
    assert not list(inputs_check.faults(other, {}))


LOOKED_AT_HERE = {"[template.NAME] settings", "[template.NAME] scripts"}


def test_no_key_is_read_of_which_it_is_not_shown_here_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    read = set[str]()
    finish = Table.finish

    def listen(table: Table) -> None:
        read.update(f"{_place(table.where)} {key}" for key in table.known)
        finish(table)

    monkeypatch.setattr(Table, "finish", listen)
    for more in ({**DNS, **BUCKET, **SCALED, "template.web.run_lists": {}}, BY_CPU):
        with suppress(DeploymentError):
            parse(HERE / "shop.toml", beside(more))
    shown = {_key(key) for _, key, *_ in KEYS} | LOOKED_AT_HERE
    tables = {"the top level alarm", "the top level load_balancer", "the top level template"}
    tables |= {f"the top level {one}" for one in ("bucket", "dns", "scaling")}
    tables |= {"[template.NAME] run_lists"}
    lists = {"[template.NAME] open", "[scaling] schedule"}
    assert read - tables - lists == shown


def _place(where: str) -> str:
    for named in ("template", "load_balancer", "alarm"):
        if where.startswith(f"[{named}."):
            return f"[{named}.NAME]{where.partition(']')[2]}".removesuffix(" 1")
    return where.removesuffix(" 1")


def _key(path: str) -> str:
    """A key's table and name, as errors tell them."""
    match path.split("."):
        case [name] | ["tags" | "inputs" as name, _]:
            return f"the top level {name}"
        case ["template", _, "open", _, name]:
            return f"[template.NAME] open {name}"
        case ["template", _, "run_lists", name]:
            return f"[run_lists] {name}"
        case ["template" | "load_balancer" | "alarm" as table, _, name, *_]:
            return f"[{table}.NAME] {name}"
        case ["scaling", "schedule", _, name]:
            return f"[scaling] schedule {name}"
        case [table, name]:
            return f"[{table}] {name}"
    raise AssertionError(path)
