"""The commands of a deployment as people type them: what is printed where, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, register_image
from fleet_door import SHOP, Door, door_to

from fleet import bootstrap_tasks, deployment_tasks, dns_check, service, shell
from fleet.dns_question import Answer
from fleet.node import described
from fleet.reach import Ended, Hear, Target

if TYPE_CHECKING:
    from moto_fixture import FakeClock

    from aws.session import Cloud

WELL = '{"instance_id": "", "state": "operational", "scripts": []}'


@pytest.fixture(autouse=True)
def account(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr("aws.place._public_address", lambda: "192.0.2.7")
    monkeypatch.setattr(service, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(service, "_BOOT_SECONDS", 0)
    monkeypatch.setenv("AMIBAKE_STATE", str(tmp_path))
    register_image()
    with booting(mock_cloud):
        yield


@pytest.fixture
def door(
    mock_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Door:
    return door_to(mock_cloud, tmp_path, monkeypatch, capsys)


@pytest.fixture
def up(door: Door) -> Door:
    assert door.invoke("fleet.up").code == 0
    return door


def ids(cloud: Cloud) -> list[str]:
    return [one.id for one in described(cloud, "shop")]


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


# --- fleet.ssh ---


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    made: list[tuple[str, str, str]] = []

    def opened(node: Any, user: str, private: str, command: str = "") -> int:
        assert "PRIVATE KEY" in private
        made.append((node.id, user, command))
        return 3 if command == "false" else 0

    monkeypatch.setattr(shell, "opened", opened)
    return made


def test_a_command_on_a_node_hands_on_how_it_ended(
    up: Door, mock_cloud: Cloud, visits: list[tuple[str, str, str]]
) -> None:
    first = ids(mock_cloud)[0]
    assert up.invoke("fleet.ssh", f"--node={first[:12]}", "--command=uptime").code == 0
    failed = up.invoke("fleet.ssh", f"--node={first}", "--command=false", "--user=root", "--json")
    assert (failed.code, failed.document["exit_code"]) == (2, 3)
    assert visits == [(first, "admin", "uptime"), (first, "root", "false")]


@pytest.mark.parametrize(
    ("node", "said"),
    [("i-nowhere", "has no node 'i-nowhere'"), ("i-0000", "has 2 nodes 'i-0000'"), ("", "2 running nodes: ")],
)
def test_a_node_that_is_none_or_several_is_not_visited(
    up: Door, visits: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch, node: str, said: str
) -> None:
    from fleet_wanted import node as made_up

    from fleet import node_tasks

    monkeypatch.setattr(node_tasks, "described", lambda *_: (made_up(1), made_up(2)))
    told = up.invoke("fleet.ssh", *([f"--node={node}"] if node else []))
    assert (told.code, visits) == (1, [])
    assert said in told.err
    assert "next" in told.err


# --- fleet.run ---


class Reached:
    """Nodes that do as they are told, but for those that are deaf."""

    def __init__(self, deaf: str = "") -> None:
        self.deaf = deaf
        self.heard: list[Sequence[str]] = []

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        self.heard.append(argv)
        if target.instance_id == self.deaf:
            return Ended(255, "", "Connection refused")
        return Ended(0, WELL, "")


def test_a_script_runs_on_all_nodes_and_one_that_fails_is_exit_code_two(
    up: Door, mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ids(mock_cloud)
    nodes = Reached(deaf=bad)
    monkeypatch.setattr(bootstrap_tasks, "_over_ssh", lambda *_: nodes)
    told = up.invoke("fleet.run", "purge-cache")
    assert told.code == 2
    assert "1 of 2 nodes well" in told.out
    assert all(one in told.out for one in (good, bad))
    assert all("purge-cache" in argv for argv in nodes.heard)
    by_id = {
        one["instance_id"]: one for one in up.invoke("fleet.run", "purge-cache", "--json").document["nodes"]
    }
    assert set(by_id) == {good, bad}


def test_a_script_runs_on_one_node_alone(
    up: Door, mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Reached()
    monkeypatch.setattr(bootstrap_tasks, "_over_ssh", lambda *_: nodes)
    told = up.invoke("fleet.run", "purge-cache", f"--node={ids(mock_cloud)[0]}", "--json")
    assert (told.code, len(told.document["nodes"]), len(nodes.heard)) == (0, 1, 1)


def test_a_script_has_nowhere_to_run_where_nothing_is_up(door: Door) -> None:
    told = door.invoke("fleet.run", "purge-cache")
    assert told.code == 1
    assert "no node of shop runs" in told.err


# --- fleet.history ---


def test_the_history_names_each_command_and_what_it_changed(up: Door) -> None:
    up.invoke("fleet.stop", "--count=1")
    told = up.invoke("fleet.history")
    assert told.code == 0
    assert "invoke fleet.up" in told.out
    entries = up.invoke("fleet.history", "--json").document["entries"]
    assert [one["command"] for one in entries] == ["invoke fleet.up", "invoke fleet.stop"]
    assert [one["outcome"] for one in entries] == ["done", "done"]
    assert entries[1]["changed"][0].startswith("~ drain and stop 1 node of web")


def test_a_deployment_that_nobody_touched_has_no_history(door: Door) -> None:
    assert "nothing was done to shop yet" in door.invoke("fleet.history").out


# --- fleet.restart ---


def restarted(told: Any) -> list[str]:
    return [one for one in told.document["changed"] if one.startswith("~ start")]


def test_a_restart_is_of_all_of_some_or_of_one(up: Door, mock_cloud: Cloud) -> None:
    first = ids(mock_cloud)[0]
    assert len(restarted(up.invoke("fleet.restart", "--json"))) == 2
    assert len(restarted(up.invoke("fleet.restart", "--count=1", "--json"))) == 1
    (only,) = restarted(up.invoke("fleet.restart", f"--node={first}", "--json"))
    assert first in only
    assert len(restarted(up.invoke("fleet.restart", "--template=web", "--json"))) == 2


def test_a_restart_of_a_template_that_is_none_is_refused(up: Door) -> None:
    told = up.invoke("fleet.restart", "--template=batch")
    assert told.code == 1
    assert "no node is of a template 'batch'" in told.err


def test_a_restart_that_is_only_tried_stops_nobody(up: Door, mock_cloud: Cloud) -> None:
    told = up.invoke("fleet.restart", "--count=1", "--dry-run")
    assert told.code == 0
    assert "drain and stop 1 node of web" in told.out
    assert {one.ec2_state for one in described(mock_cloud, "shop")} == {"running"}


# --- dns.point, dns.check ---


def test_a_name_is_pointed_once(up: Door, mock_cloud: Cloud) -> None:
    assert up.invoke("dns.point", "--json").document["changed"] == []
    up.write(SHOP.replace("ttl_seconds = 30", "ttl_seconds = 10"))
    tried = up.invoke("dns.point", "--dry-run", "--json").document
    done = up.invoke("dns.point", "--json").document
    assert tried == done
    assert (done["type"], done["ttl"], len(done["changed"])) == ("cname", 10, 1)
    again = up.invoke("dns.point")
    assert again.code == 0
    assert "may be kept for 10 s): nothing to change" in again.out


def test_a_name_without_a_load_balancer_is_pointed_nowhere(door: Door) -> None:
    told = door.invoke("dns.point")
    assert told.code == 1
    assert "no load balancer 'shop-front'" in told.err


def test_a_file_without_a_name_has_none_to_point(door: Door) -> None:
    door.write(SHOP[: SHOP.index("[dns]")])
    told = door.invoke("dns.check")
    assert told.code == 1
    assert "has no [dns] table" in told.err


@pytest.mark.parametrize(("sees", "code"), [(True, 0), (False, 2)])
def test_a_check_asks_the_resolvers_named_and_tells_whether_they_see_it(
    up: Door,
    mock_cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    sees: bool,
    code: int,
) -> None:
    target = mock_cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"][0]["DNSName"].lower()
    asked: list[str] = []

    def ask(server: str, name: str) -> Answer:
        asked.append(server)
        names = (target,) if sees or server != "192.0.2.54" else ("old.elb.test",)
        return Answer(server, names, ("10.0.0.9",), 30)

    monkeypatch.setattr(dns_check.until_agreed, "__defaults__", (ask, clock))
    told = up.invoke("dns.check", "--resolver=192.0.2.53", "--resolver=192.0.2.54", "--wait=0", "--json")
    assert told.code == code
    assert told.document["agreed"] is sees
    assert [one["sees_it"] for one in told.document["resolvers"]] == [True, sees]
    assert {"192.0.2.53", "192.0.2.54"} == set(asked)


def test_a_jre_is_asked_without_a_resolver(door: Door, tmp_path: Path) -> None:
    settings = tmp_path / "java.security"
    settings.write_text("networkaddress.cache.ttl=-1\n")
    told = door.invoke("dns.check", f"--jvm={settings}")
    assert told.code == 2
    assert "trap" in told.out


# --- fleet.size ---


def test_a_size_is_told_with_its_sum(door: Door) -> None:
    told = door.invoke("fleet.size", "--rps=300", "--hit-ratio=0.9", "--type=c5.xlarge", "--zones=3")
    assert told.code == 0
    assert "busy cores = 300/s" in told.out
    assert "/ 4 cores, rounded up" in told.out
    document = door.invoke("fleet.size", "--rps=300", "--hit-ratio=0.9", "--json").document
    assert document["nodes"] >= document["nodes_without_spare"] >= 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [("--type=z9.huge", "no instance type 'z9.huge'"), ("--hit-ratio=1.5", "a hit ratio of 1.5 cannot be")],
)
def test_a_size_of_what_cannot_be_is_refused(door: Door, argv: str, said: str) -> None:
    told = door.invoke("fleet.size", argv)
    assert told.code == 1
    assert said in told.err
