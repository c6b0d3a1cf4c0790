"""A deployment's file, its plan and its status as people ask for them: what is printed, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fleet_door import SHOP, Door, ids

from fleet import deployment_tasks

if TYPE_CHECKING:
    from aws.session import Cloud


def strand(cloud: Cloud, node: str) -> None:
    tags: Any = [
        {"Key": "bootstrap:state", "Value": "stranded"},
        {"Key": "bootstrap:reason", "Value": "BUCKET is required"},
    ]
    cloud.ec2.create_tags(Resources=[node], Tags=tags)


# --- fleet.validate ---


def test_a_sound_file_is_said_to_be_sound_with_its_nodes_and_their_image(door: Door) -> None:
    told = door.invoke("fleet.validate")
    assert (told.code, told.err) == (0, "")
    assert "the deployment shop is sound: 2 x web of ami-" in told.out.replace("\n", " ")
    document = door.invoke("fleet.validate", "--json").document
    assert (document["deployment"], document["nodes"]) == ("shop", {"web": 2})


@pytest.mark.parametrize(
    ("text", "said", "right"),
    [
        (
            SHOP.replace("count = 2", "cuont = 2"),
            "[template.web] knows no key `cuont`",
            "did you mean `count`",
        ),
        (SHOP.replace("count = 2", 'count = "2"'), "`count` is '2'", "a whole number from 0 to 5000"),
        (SHOP.replace("30", "300"), "[dns]: `ttl_seconds` is 300", "from 1 to 60"),
        (SHOP.replace("[dns]", "[dns"), "is no TOML", "fleet/README.md"),
        (SHOP.replace("count = 2", 'image = "baker"'), "baker", "invoke bake"),
        (
            SHOP.replace("count = 2", 'security_groups = ["sg-0abc"]'),
            "eu-central-1 has not all of `security_groups`",
            "sg-0abc",
        ),
    ],
)
@pytest.mark.parametrize("command", ["fleet.validate", "fleet.up"])
def test_what_is_wrong_in_a_file_is_named_with_what_would_be_right(
    door: Door, command: str, text: str, said: str, right: str
) -> None:
    door.write(text)
    told = door.invoke(command, "--json")
    assert (told.code, told.out) == (1, "")
    assert said in told.err
    assert right in told.err
    assert "baker" in said or str(door.file) in told.err


def test_a_file_that_is_not_there_is_told_with_an_example(door: Door) -> None:
    door.file.unlink()
    told = door.invoke("fleet.validate")
    assert told.code == 1
    assert "No such file" in told.err
    assert "fleet/resizer.toml is an example" in told.err


# --- fleet.plan ---


def test_a_plan_is_a_tree_and_changes_nothing(door: Door, mock_cloud: Cloud) -> None:
    told = door.invoke("fleet.plan")
    assert told.code == 0
    assert "+ launch template amibake-shop-web" in told.out
    assert "├──" in told.out
    assert ids(mock_cloud) == []


def test_where_all_is_as_the_file_says_a_plan_says_so(up: Door) -> None:
    assert "nothing to change" in up.invoke("fleet.plan").out
    assert up.invoke("fleet.plan", "--json").document["actions"] == []


def test_a_plan_shows_what_was_changed_in_the_file_and_no_more(up: Door) -> None:
    up.write(SHOP.replace("ttl_seconds = 30", "ttl_seconds = 10"))
    actions = up.invoke("fleet.plan", "--json").document["actions"]
    assert [one["what"] for one in actions if one["sign"] != "…"] == [
        "name img.shop.test -> load balancer front (cname, 10 s)"
    ]


# --- fleet.status ---


def test_the_status_of_a_sound_deployment_is_exit_code_zero(up: Door, mock_cloud: Cloud) -> None:
    told = up.invoke("fleet.status")
    assert told.code == 0
    assert "shop: 2 of 2 nodes in service" in told.out
    assert all(one in told.out for one in ids(mock_cloud))
    assert "img.shop.test -> shop-front" in told.out


@pytest.mark.parametrize("as_json", [False, True])
def test_a_status_with_a_stranded_node_is_exit_code_two_and_tells_why(
    up: Door, mock_cloud: Cloud, as_json: bool
) -> None:
    first = ids(mock_cloud)[0]
    strand(mock_cloud, first)
    told = up.invoke("fleet.status", *(["--json"] if as_json else []))
    assert told.code == 2
    if as_json:
        (lost,) = [one for one in told.document["nodes"] if one["bootstrap_state"] == "stranded"]
        assert (lost["instance_id"], lost["why"]) == (first, "stranded: BUCKET is required")
    else:
        assert "1 of 2 nodes in service" in told.out


class Turns:
    """Time as a person has it who watches: something happens meanwhile, and at last he presses Ctrl-C."""

    def __init__(self, *meanwhile: Any) -> None:
        self.meanwhile = list(meanwhile)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.meanwhile:
            raise KeyboardInterrupt
        self.meanwhile.pop(0)()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_watch_looks_again_until_ctrl_c_and_ends_as_the_last_look_does(
    up: Door, mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    first = ids(mock_cloud)[0]
    turns = Turns(lambda: None, lambda: strand(mock_cloud, first))
    monkeypatch.setattr(deployment_tasks, "time", turns)
    told = up.invoke("fleet.status", "--watch", *(["--json"] if as_json else []))
    assert turns.slept == [5.0, 5.0, 5.0]
    assert told.code == 2
    if as_json:
        assert [one["bootstrap_state"] for one in told.document["nodes"]].count("stranded") == 1
    else:
        assert told.out.count("nodes in service") == 1
        assert "1 of 2 nodes in service" in told.out


def test_a_watched_terminal_is_left_as_it_was(up: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment_tasks, "time", Turns(lambda: None))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    told = up.invoke("fleet.status", "--watch")
    assert told.code == 0
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert told.err.count(hidden) == told.err.count(shown) == 1
    assert told.err.index(hidden) < told.err.index(shown)
    assert "nodes in service" not in told.err[told.err.index(shown) :]
