from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.rollout import Await, Done, Launch, Pace, Retire, Standing, moves, next_move

OLD = ("a", "b", "c", "d")


def test_the_first_new_node_is_a_canary_and_comes_alone() -> None:
    assert next_move(Standing(4, OLD, ()), Pace(batch=3)) == Launch(1)


def test_a_canary_that_serves_retires_one_and_then_batches_go() -> None:
    assert moves(Standing(4, OLD, ()), Pace(batch=2)) == [
        Launch(1), Await(("new 1",)), Retire(("a",)),
        Launch(2), Await(("new 2", "new 3")), Retire(("b", "c")),
        Launch(1), Await(("new 4",)), Retire(("d",)),
    ]  # fmt: skip


def test_in_place_old_ones_go_first_and_there_are_never_more_than_wanted() -> None:
    assert moves(Standing(2, ("a", "b"), ()), Pace(in_place=True)) == [
        Retire(("a",)), Launch(1), Await(("new 1",)), Retire(("b",)), Launch(1), Await(("new 2",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("standing", "move"),
    [
        (Standing(4, OLD, (), ("n",)), Await(("n",))),
        (Standing(4, OLD, ("n",)), Retire(("a",))),
        (Standing(4, OLD[1:], ("n",)), Launch(2)),
        (Standing(4, (), ("n", "o", "p", "q")), Done()),
        (Standing(4, OLD, ("n", "o", "p", "q")), Retire(OLD)),
        (Standing(2, OLD, ()), Retire(("a", "b"))),
    ],
)
def test_it_goes_on_from_where_it_was_cut_short(standing: Standing, move: object) -> None:
    assert next_move(standing, Pace(batch=2)) == move


def test_where_all_nodes_are_new_nothing_moves() -> None:
    assert moves(Standing(2, (), ("n", "o")), Pace()) == []


def test_nodes_that_were_lost_on_the_way_are_made_up_for() -> None:
    assert moves(Standing(3, (), ("n",)), Pace(batch=5)) == [Launch(2), Await(("new 1", "new 2"))]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.booleans())
def test_every_roll_out_ends_with_the_wanted_number_and_none_that_is_old(
    wanted: int, old: int, fresh: int, batch: int, in_place: bool
) -> None:
    ids = tuple(f"o{number}" for number in range(old))
    news = tuple(f"f{number}" for number in range(fresh))
    done = moves(Standing(wanted, ids, news), Pace(batch, in_place))
    launched = sum(move.count for move in done if isinstance(move, Launch))
    retired = [one for move in done if isinstance(move, Retire) for one in move.ids]
    assert sorted(retired) == sorted(ids)
    assert fresh + launched == max(wanted, fresh)


@given(st.integers(1, 30), st.integers(1, 12))
def test_with_a_surge_there_are_never_fewer_than_wanted(wanted: int, batch: int) -> None:
    serving = wanted
    for move in moves(Standing(wanted, tuple(map(str, range(wanted))), ()), Pace(batch)):
        serving += len(move.ids) if isinstance(move, Await) else 0
        serving -= len(move.ids) if isinstance(move, Retire) else 0
        assert wanted <= serving <= wanted + batch
