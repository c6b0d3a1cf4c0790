"""Roll-outs, carried out in moto: a canary, batches, and the way back."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_rolls import NAMES, PACE, Stage, stage_of, told_of

from fleet import history, lb, operations, roll_commands, roll_record, watching
from fleet.errors import DoesWorse, NotThere, RolledBack, UnderWay
from fleet.operations import Nodes
from fleet.outcome import Done
from fleet.plan import Plan
from fleet.rollout import Pace
from fleet.verdict import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws.session import Cloud

BUSY = Traffic(1000, 0, 0.1)


@pytest.fixture
def stage(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Three nodes of an old image in service."""
    return stage_of(3, mock_cloud, monkeypatch)


@pytest.mark.parametrize("pace", PACE.values(), ids=PACE)
def test_every_node_is_replaced(stage: Stage, pace: Pace) -> None:
    outcome = stage.roll(pace=pace)
    assert stage.images == {"new": 3}
    assert isinstance(outcome, Done)
    assert not outcome.degraded
    assert not stage.under_way
    assert stage.launches_from == "new"


def test_there_are_never_fewer_nodes_than_wanted(stage: Stage) -> None:
    counts = set[int]()
    stage.clock.meanwhile = lambda: counts.add(len(stage.nodes))
    stage.roll(pace=Pace(batch=2))
    assert counts == {3, 4, 5} - {3} | {4}


def test_where_all_nodes_are_of_it_nothing_is_rolled(stage: Stage) -> None:
    stage.roll()
    before = [one.id for one in stage.nodes]
    again = stage.roll()
    assert isinstance(again, Done)
    assert again.changed == ()
    assert [one.id for one in stage.nodes] == before


def test_what_would_be_done_is_shown_and_not_done(stage: Stage) -> None:
    shown = stage.roll(dry_run=True, pace=Pace(batch=2))
    assert isinstance(shown, Plan)
    signs = [one.sign for one in shown.actions]
    assert signs == ["~", "+", "…", "-", "+", "…", "-"]
    assert stage.images == {"old": 3}
    assert stage.launches_from == "old"


def test_a_deployment_that_is_not_up_has_nothing_to_be_rolled(mock_cloud: Cloud, stage: Stage) -> None:
    operations.down(stage.desk())
    with pytest.raises(NotThere, match="is not up"):
        stage.roll()


def test_a_canary_that_strands_is_taken_back_and_the_old_ones_stay(stage: Stage) -> None:
    old, stage.clock.stranding = stage.ids(stage.old), stage.new
    with pytest.raises(RolledBack, match="stranded"):
        stage.roll()
    assert [one.id for one in stage.nodes] == old
    assert stage.launches_from == "old"
    assert not stage.under_way


def test_a_canary_that_its_health_check_refuses_is_not_waited_for_as_one_that_boots(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = lb.health
    new = stage.new

    def refusing(cloud: Cloud, balancer: Any) -> Any:
        news = stage.ids(new)
        seen = healthy(cloud, balancer)
        return {one: replace(it, state="unhealthy") if one in news else it for one, it in seen.items()}

    monkeypatch.setattr("fleet.lb.health", refusing)
    monkeypatch.setattr("fleet.lb.deregister", lambda *_: [])
    with pytest.raises(RolledBack, match="unhealthy"):
        stage.roll()
    assert stage.clock.now < 300
    assert stage.images == {"old": 3}


@pytest.mark.parametrize(
    ("after", "why"),
    [(Traffic(1000, 300, 0.1), "requests failed"), (Traffic(1000, 0, 2.0), "99th percentile")],
)
def test_worse_traffic_takes_everything_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, after: Traffic, why: str
) -> None:
    monkeypatch.setattr(roll_commands, "traffic", lambda *_: BUSY)
    monkeypatch.setattr(watching, "by_minute", told_of(after))
    old = stage.ids(stage.old)
    with pytest.raises(RolledBack, match=why):
        stage.roll()
    assert [one.id for one in stage.nodes] == old


def test_where_there_was_traffic_cloudwatch_s_word_of_the_last_minute_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> dict[datetime, Traffic]:
        now = datetime.now(UTC)
        if stage.clock.now < 90:
            return {now - timedelta(minutes=2): BUSY}
        return {now - timedelta(minutes=2): BUSY, now: Traffic(1000, 300, 0.1)}

    monkeypatch.setattr(roll_commands, "traffic", lambda *_: BUSY)
    monkeypatch.setattr(watching, "by_minute", late)
    with pytest.raises(RolledBack, match="requests failed"):
        stage.roll()
    assert 90 <= stage.clock.now < 200
    assert stage.images == {"old": 3}


def test_what_goes_wrong_in_the_second_batch_brings_as_many_old_ones_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([BUSY, Traffic(1000, 300, 0.1)])
    monkeypatch.setattr(roll_commands, "traffic", lambda *_: BUSY)
    monkeypatch.setattr(watching, "by_minute", lambda *_: told_of(next(told))())
    with pytest.raises(RolledBack):
        stage.roll()
    assert stage.images == {"old": 3}


def test_an_alarm_that_rings_takes_it_back_and_one_that_rang_before_does_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ringing = [["old trouble"], ["old trouble"], ["old trouble", "late"]]
    monkeypatch.setattr("fleet.alarms.ringing", lambda *_: ringing.pop(0))
    with pytest.raises(RolledBack, match="the alarm late rings"):
        stage.roll()
    assert stage.images == {"old": 3}


def test_without_rollback_everything_stays_as_it_is_and_can_be_gone_on_with(stage: Stage) -> None:
    stage.clock.stranding = stage.new
    with pytest.raises(DoesWorse) as caught:
        stage.roll(takes_back=False)
    assert "--abort" in caught.value.hint
    assert stage.images == {"old": 3, "new": 1}
    stage.clock.stranding = ""
    stage.cloud.ec2.create_tags(
        Resources=stage.ids(stage.new), Tags=[{"Key": "bootstrap:state", "Value": "operational"}]
    )
    stage.resume()
    assert stage.images == {"new": 3}


def test_a_second_roll_out_waits_for_the_first(stage: Stage) -> None:
    stage.clock.stranding = stage.new
    with pytest.raises(DoesWorse):
        stage.roll(takes_back=False)
    with pytest.raises(UnderWay) as caught:
        stage.roll()
    assert "--resume" in caught.value.hint


def test_a_pause_is_obeyed_and_gone_on_from(stage: Stage) -> None:
    stage.clock.meanwhile = lambda: roll_commands.pause(stage.desk())
    stage.roll()
    assert stage.under_way
    assert sum(stage.images.values()) >= 3
    stage.clock.meanwhile = lambda: None
    stage.resume()
    assert stage.images == {"new": 3}
    assert not stage.under_way


def test_an_abort_from_another_desk_takes_it_back(stage: Stage) -> None:
    def abort_once_one_is_gone() -> None:
        if stage.images["old"] < 3:
            roll_record.wish(stage.cloud, NAMES, "abort")

    stage.clock.meanwhile = abort_once_one_is_gone
    with pytest.raises(RolledBack, match="it was asked for"):
        stage.roll()
    assert stage.images == {"old": 3}
    assert stage.launches_from == "old"


def test_an_abort_of_what_rests_is_no_failure(stage: Stage) -> None:
    stage.clock.meanwhile = lambda: roll_commands.pause(stage.desk())
    stage.roll()
    stage.clock.meanwhile = lambda: None
    assert stage.abort().changed
    assert stage.images == {"old": 3}
    assert not stage.under_way


def test_where_no_roll_out_is_under_way_there_is_nothing_to_go_on_with(stage: Stage) -> None:
    for command in (stage.resume, stage.abort, lambda: roll_commands.pause(stage.desk())):
        with pytest.raises(NotThere, match="no roll-out"):
            command()


def test_nodes_that_rest_go_first(stage: Stage) -> None:
    resting = stage.nodes[2].id
    operations.stop(stage.desk(), Nodes(node=resting))
    gone: list[set[str]] = []
    before = {one.id for one in stage.nodes}
    stage.clock.meanwhile = lambda: gone.append(before - {one.id for one in stage.nodes})
    stage.roll()
    assert next(one for one in gone if one) == {resting}
    assert stage.images == {"new": 3}


def test_a_canary_that_serves_no_more_is_waited_for_before_an_old_one_goes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (balancer,) = lb.ours(stage.cloud, "shop")
    left: list[str] = []
    serving: list[set[str]] = []

    def canary_leaves_while_it_is_watched(*_: object) -> dict[datetime, Traffic]:
        if not left:
            left.extend(stage.ids(stage.new))
            lb.deregister(stage.cloud, balancer, left)
        return told_of(BUSY)()

    def note(**_: object) -> None:
        serving.append(set(lb.health(stage.cloud, balancer)))

    monkeypatch.setattr(watching, "by_minute", canary_leaves_while_it_is_watched)
    with heard(stage, "before-call.ec2.TerminateInstances", note):
        stage.roll()
    assert len(left) == 1
    assert all(set(left) <= one for one in serving)
    assert stage.images == {"new": 3}


def test_on_the_way_back_nobody_waits_for_a_node_that_rested_before(stage: Stage) -> None:
    operations.stop(stage.desk(), Nodes(node=stage.nodes[2].id))
    stage.clock.stranding = stage.new
    with pytest.raises(RolledBack):
        stage.roll()
    assert stage.images == {"old": 3}
    assert stage.clock.now < 120


def test_one_template_alone_is_rolled(stage: Stage) -> None:
    both = {"web": {"count": 3, "image": stage.old}, "canary": {"image": stage.old}}
    stage.up(stage.file(template=both))
    stage.roll(file=stage.file(template=both), template="canary")
    rolled = {one.template for one in stage.nodes if one.image_id == stage.new}
    assert rolled == {"canary"}
    assert stage.images == {"old": 3, "new": 1}


def test_an_image_that_the_file_does_not_name_is_said_to_be_undone_by_the_next_up(stage: Stage) -> None:
    outcome = stage.roll()
    assert isinstance(outcome, Done)
    assert f"still says image = '{stage.old}'" in outcome.notes[0]


def test_after_an_up_that_changed_the_template_the_way_back_leads_to_what_the_nodes_were_made_of(
    stage: Stage,
) -> None:
    changed = stage.file(stage.new)
    stage.up(changed)
    assert (stage.launches_from, stage.images) == ("new", {"old": 3})
    stage.clock.stranding = stage.new
    with pytest.raises(RolledBack):
        stage.roll(file=changed, image="")
    assert (stage.launches_from, stage.images) == ("old", {"old": 3})


def test_a_file_that_changed_meanwhile_is_not_rolled_out_by_a_resume(stage: Stage) -> None:
    stage.clock.meanwhile = lambda: roll_commands.pause(stage.desk())
    stage.roll()
    changed = stage.file(template={"web": {"count": 3, "image": stage.old, "instance_type": "c7i.large"}})
    with pytest.raises(UnderWay, match="has changed"):
        stage.resume(changed)


def test_two_launches_of_one_run_do_not_share_a_client_token(stage: Stage) -> None:
    tokens: list[str] = []

    def note(params: dict[str, Any], **_: object) -> None:
        tokens.append(params["ClientToken"])

    with heard(stage, "provide-client-params.ec2.RunInstances", note):
        stage.roll()
    assert len(tokens) == len(set(tokens)) == 3


def test_the_end_of_a_deployment_is_the_end_of_its_roll_out(stage: Stage) -> None:
    stage.clock.meanwhile = lambda: roll_commands.pause(stage.desk())
    stage.roll()
    operations.down(stage.desk())
    assert not stage.under_way


def test_the_history_tells_of_a_roll_out_and_of_its_end(stage: Stage) -> None:
    stage.clock.stranding = stage.new
    with pytest.raises(RolledBack):
        stage.roll()
    last = history.entries(stage.cloud, NAMES)[-1]
    assert last.command == "invoke fleet.roll"
    assert "taken back" in last.outcome
    assert any("1 node of web" in one for one in last.changed)


@contextmanager
def heard(stage: Stage, event: str, note: Callable[..., None]) -> Iterator[None]:
    """Tell `note` of each event of that name at the EC2 client."""
    events = stage.cloud.ec2.meta.events
    events.register(event, note)
    try:
        yield
    finally:
        events.unregister(event, note)
