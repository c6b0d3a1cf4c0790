from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bootstrap.errors import InputsError
from bootstrap.inputs import Input, fault, load_given, resolve, undeclared

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = Input("BUCKET", required=True)
PREFIX = Input("PREFIX", default="text:originals/")


def test_a_given_value_wins_over_the_default() -> None:
    assert resolve([PREFIX], {"PREFIX": "text:mine/"}, {}) == {"PREFIX": "mine/"}


def test_a_default_stands_in_for_what_is_not_given() -> None:
    assert resolve([PREFIX], {}, {}) == {"PREFIX": "originals/"}


def test_text_keeps_all_after_the_first_colon() -> None:
    assert resolve([PREFIX], {"PREFIX": "text:env:A:b "}, {}) == {"PREFIX": "env:A:b "}


def test_env_takes_the_variable() -> None:
    assert resolve([BUCKET], {"BUCKET": "env:HOME_BUCKET"}, {"HOME_BUCKET": "b"}) == {"BUCKET": "b"}


def test_blank_is_an_empty_value_and_ignore_is_none() -> None:
    given = {"BUCKET": "blank", "PREFIX": "ignore"}
    assert resolve([BUCKET, PREFIX], given, {}) == {"BUCKET": "", "PREFIX": None}


def test_one_message_names_all_that_is_missing() -> None:
    also = Input("ALSO", required=True, default="env:NOT_SET")
    with pytest.raises(InputsError) as caught:
        resolve([BUCKET, PREFIX, also], {}, {})
    assert str(caught.value) == ("inputs: BUCKET is required; ALSO is required and env:NOT_SET is not set")
    assert "inputs.json" in caught.value.hint


def test_a_required_input_cannot_be_ignored() -> None:
    with pytest.raises(InputsError, match="BUCKET is required"):
        resolve([BUCKET], {"BUCKET": "ignore"}, {})


def test_one_message_names_all_that_is_malformed_and_repeats_no_value() -> None:
    with pytest.raises(InputsError) as caught:
        resolve([BUCKET, PREFIX], {"BUCKET": "hunter2", "PREFIX": "text:"}, {})
    assert "BUCKET has no known type" in str(caught.value)
    assert "PREFIX has nothing after text:, say blank or ignore" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("typed", ["", "text", "cred:X", "TEXT:x", "blank:", "env:"])
def test_other_types_are_faults(typed: str) -> None:
    assert fault(typed)


def test_a_name_the_image_does_not_know_is_named() -> None:
    assert undeclared([BUCKET], {"BUCKET": "blank", "Z": "blank", "A": "blank"}) == ["A", "Z"]


def test_a_node_without_the_file_was_given_nothing(tmp_path: Path) -> None:
    assert load_given(tmp_path / "inputs.json") == {}


@pytest.mark.parametrize("text", ["[]", '{"A": 1}', "{", '{"A": {"B": "text:c"}}'])
def test_a_file_that_is_no_flat_object_of_strings_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(text)
    with pytest.raises(InputsError, match=r"inputs\.json"):
        load_given(path)
