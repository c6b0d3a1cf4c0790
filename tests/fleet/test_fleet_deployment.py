"""The deployment file: what it takes, and how it says what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from fleet_wanted import FILE, deployment

from fleet.deployment import load
from fleet.errors import DeploymentError

EXAMPLE = Path(__file__).parents[2] / "fleet" / "resizer.toml"
DNS = FILE["dns"]


def test_the_shipped_example_is_sound() -> None:
    read = load(EXAMPLE)
    assert (read.name, [one.count for one in read.templates]) == ("resizer", [2])
    assert read.dns is not None
    assert read.dns.balancer == "web"


def test_the_scaling_that_the_example_shows_is_sound_too() -> None:
    text = EXAMPLE.read_text()
    shown = text[text.index("# [scaling]") : text.index("\n\n[alarm")].replace("# ", "")
    read = deployment(**tomllib.loads(shown))
    assert read.scaling is not None
    assert (read.scaling.least, read.scaling.most, read.scaling.schedule[0].cron) == (2, 6, "0 6 * * MON-FRI")


def test_several_templates_may_stand_on_one_image() -> None:
    read = deployment(
        template={"web": {}, "batch": {"instance_type": "c7g.large", "load_balancers": ["front"]}}
    )
    assert {one.image for one in read.templates} == {"resizer"}
    assert read.template("batch").balancers == ("front",)


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key": ({"nmae": "x"}, "the top level knows no key `nmae`", "did you mean `name`"),
    "an unknown key of a template": (
        {"template": {"web": {"cuont": 3}}}, "[template.web] knows no key `cuont`", "did you mean `count`",
    ),
    "no template": ({"template": None}, "lacks `template`", "[template.NAME]"),
    "a text for a number": ({"template": {"web": {"count": "2"}}}, "`count` is '2'", "a whole number"),
    "a name too long": ({"name": "x" * 40}, "`name` is", "at most 24 characters"),
    "a truth for a number": ({"template": {"web": {"count": True}}}, "`count` is True", "a whole number"),
    "a file that is not there": (
        {"template": {"web": {"policy": "none.json"}}}, "`policy` names none.json, which is not there",
        "looked for",
    ),
    "a source that is none": (
        {"template": {"web": {"open": [{"port": 80, "from": "everybody"}]}}}, "`from` is 'everybody'",
        "a CIDR",
    ),
    "a load balancer that is none of its own": (
        {"template": {"web": {"load_balancers": ["back"]}}}, "`load_balancers` is ['back']", "front",
    ),
    "an unknown type of load balancer": (
        {"load_balancer": {"front": {"type": "gateway"}}}, "`type` is 'gateway'", "classic",
    ),
    "a health check that is none": (
        {"load_balancer": {"front": {"health_check": "PING"}}}, "`health_check` is 'PING'", "HTTP:80/health",
    ),
    "a timeout above the interval": (
        {"load_balancer": {"front": {"interval_seconds": 5, "timeout_seconds": 9}}},
        "not below the interval", "",
    ),
    "an encrypted listener without certificate": (
        {"load_balancer": {"front": {"listeners": ["HTTPS:443=HTTP:80"]}}}, "lacks `certificate`", "ARN",
    ),
    "a TTL of an hour": ({"dns": {**DNS, "ttl_seconds": 3600}}, "`ttl_seconds` is 3600", "from 1 to 60"),
    "a CNAME at the apex": (
        {"dns": {**DNS, "name": "shop.test"}}, "is the zone's apex, and a CNAME cannot stand there", "alias",
    ),
    "a name outside its zone": ({"dns": {**DNS, "name": "img.test"}}, "does not lie in the zone",
    "www.shop.test"),
    "an input without a type": ({"inputs": {"BUCKET": "photos"}}, "`inputs`: BUCKET has no known type", ""),
    "an input in small letters": ({"inputs": {"bucket": "text:a"}}, "bucket is no input's name", ""),
    "a tag of the toolkit's": ({"tags": {"amibake:run": "x"}}, "`tags` is", "of your own"),
    "a sample in another's bucket": ({"bucket": {"name": "theirs", "sample": "a.jpg"}}, "`sample` is",
    "owned"),
    "a bucket without a name": ({"bucket": {}}, "lacks `name`", ""),
    "zones and subnets": ({"zones": ["eu-central-1a"], "subnets": ["subnet-1"]}, "`zones` is", "`subnets`"),
    "two targets of scaling": (
        {"scaling": {"min": 1, "max": 2, "target_cpu_percent": 50, "requests_per_target": 9}},
        "`target_cpu_percent` is 50", "",
    ),
    "a maximum below the minimum": ({"scaling": {"min": 4, "max": 2}}, "`max` is 2", "from 4"),
    "a warm-up that ends before the health check admits a node": (
        {
            "load_balancer": {"front": {"interval_seconds": 20, "healthy": 3}},
            "scaling": {"min": 1, "max": 2, "target_cpu_percent": 50, "warm_up_seconds": 59},
        },
        "[scaling]: `warm_up_seconds` is 59",
        "60 or more: so long the health check takes to admit a node",
    ),
    "requests counted by a classic one": (
        {"scaling": {"min": 1, "max": 2, "requests_per_target": 9}}, "`requests_per_target` is 9",
        "application",
    ),
    "an alarm on requests where none are known": (
        {
            "load_balancer": {"front": {"type": "network"}},
            "alarm": {"a": {"watch": "errors", "load_balancer": "front"}},
        },
        "`watch` is 'errors'",
        "a network load balancer knows of no requests",
    ),
    "an alarm on nothing known": ({"alarm": {"a": {"watch": "mood"}}}, "`watch` is 'mood'",
    "unhealthy_hosts"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_file_key_and_what_would_be_right(case: str) -> None:
    changes, said, hint = WRONG[case]
    with pytest.raises(DeploymentError) as caught:
        deployment(**changes)
    assert str(caught.value).startswith("shop.toml: ")
    assert said in str(caught.value)
    assert hint in caught.value.hint


def test_a_warm_up_that_is_not_given_lasts_until_the_slowest_health_check_admits_a_node() -> None:
    scaling = {"min": 1, "max": 2, "target_cpu_percent": 50}
    read = deployment(load_balancer={"front": {"interval_seconds": 30, "healthy": 4}}, scaling=scaling)
    assert read.scaling is not None
    assert read.scaling.warm_up_seconds == 120


def test_a_load_balancer_behind_which_no_scaled_node_stands_has_no_say_in_the_warm_up() -> None:
    read = deployment(
        load_balancer={"front": {}, "slow": {"interval_seconds": 300}},
        template={"web": {"load_balancers": ["front"]}},
        scaling={"min": 1, "max": 2, "target_cpu_percent": 50, "warm_up_seconds": 20},
        dns=None,
    )
    assert read.scaling is not None
    assert read.scaling.warm_up_seconds == 20


def test_an_inputs_value_is_never_repeated() -> None:
    with pytest.raises(DeploymentError) as caught:
        deployment(inputs={"PASSWORD": "hunter2"})
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_file_that_is_no_toml_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text("name = ")
    with pytest.raises(DeploymentError, match=r"shop\.toml: is no TOML"):
        load(path)


def test_a_file_that_is_not_there_is_told_with_the_example() -> None:
    with pytest.raises(DeploymentError, match="No such file") as caught:
        load(Path("nowhere.toml"))
    assert "--file" in caught.value.hint
