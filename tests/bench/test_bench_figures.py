from __future__ import annotations

from bench.figures import Figure, Measured, median


def test_an_aim_is_met_at_its_bound_and_missed_above_it() -> None:
    assert Figure("calls", 0, at_most=0).met is True
    assert Figure("calls", 1, at_most=0).met is False
    assert Figure("calls", 1).met is None


def test_a_median_is_the_middle_and_keeps_what_it_was_taken_of() -> None:
    taken = median("boot_seconds", [9.0, 1.0, 2.0])
    assert taken.value == 2
    assert taken.values == (9.0, 1.0, 2.0)


def test_the_document_gives_figures_by_name_and_says_which_miss_their_aim() -> None:
    told = Measured((Figure("a_ratio_to_b", 0.5, 0.2), Figure("c_bytes", 10))).document()
    assert told["a_ratio_to_b"] == 0.5
    assert told["c_bytes"] == 10
    assert told["missed"] == ["a_ratio_to_b"]
    assert told["aims_at_most"] == {"a_ratio_to_b": 0.2}
