from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import InputsError
from bootstrap.header import InputSpec, Script
from bootstrap.inputs import check, load_given, merged, missing, undeclared
from bootstrap.typed import array, fault, is_secret
from bootstrap.values import values

BUCKET = InputSpec("BUCKET", required=True)
PREFIX = InputSpec("PREFIX", default="text:originals/")
NAMES = InputSpec("NAMES", input_type="array")
SIZE = InputSpec("SIZE", possible_values=("text:small", "text:large"))


def script(*specs: InputSpec, name: str = "configure") -> Script:
    return Script(name, name, inputs={spec.name: spec for spec in specs})


def no_secret(kind: str, name: str) -> str:
    pytest.fail(f"read the {kind} {name}")


def resolved(
    *specs: InputSpec, given: dict[str, str], environment: dict[str, str] | None = None
) -> dict[str, str | None]:
    return values(script(*specs), given, environment or {}, no_secret)


def test_a_later_layer_wins() -> None:
    template, deployment, server = {"A": "text:1", "B": "text:1"}, {"A": "text:2"}, {"A": "ignore"}
    assert merged(template, deployment, server) == {"A": "ignore", "B": "text:1"}


def test_a_given_value_wins_over_the_default() -> None:
    assert resolved(PREFIX, given={"PREFIX": "text:mine/"}) == {"PREFIX": "mine/"}


def test_a_default_stands_in_for_what_is_not_given() -> None:
    assert resolved(PREFIX, NAMES, given={}) == {"PREFIX": "originals/", "NAMES": None}


def test_text_keeps_all_after_the_first_colon() -> None:
    assert resolved(PREFIX, given={"PREFIX": "text:env:A:b "}) == {"PREFIX": "env:A:b "}


def test_env_takes_the_variable() -> None:
    found = resolved(BUCKET, given={"BUCKET": "env:HOME_BUCKET"}, environment={"HOME_BUCKET": "b"})
    assert found == {"BUCKET": "b"}


def test_blank_is_an_empty_value_and_ignore_is_none() -> None:
    assert resolved(BUCKET, PREFIX, given={"BUCKET": "blank", "PREFIX": "ignore"}) == {
        "BUCKET": "",
        "PREFIX": None,
    }


def test_an_array_is_joined_with_commas() -> None:
    given = {"NAMES": 'array:["text:web","env:MORE","env:NONE"]'}
    assert resolved(NAMES, given=given, environment={"MORE": "api"}) == {"NAMES": "web,api"}


def test_the_desk_writes_arrays_that_read_back() -> None:
    assert resolved(NAMES, given={"NAMES": array("web", "api")}) == {"NAMES": "web,api"}


def test_secrets_are_read_where_they_are_kept() -> None:
    given = {"BUCKET": "cred:db", "NAMES": 'array:["key:key-1"]'}
    found = values(script(BUCKET, NAMES), given, {}, lambda kind, name: f"<{kind} {name}>")
    assert found == {"BUCKET": "<cred db>", "NAMES": "<key key-1>"}


def test_one_message_names_all_that_is_missing_and_malformed_and_who_wants_it() -> None:
    with pytest.raises(InputsError) as caught:
        check([script(BUCKET, PREFIX), script(BUCKET, name="apache")], {"PREFIX": "hunter2"})
    text = str(caught.value)
    assert text.startswith("inputs: BUCKET is required (configure, apache); PREFIX has no known type")
    assert "hunter2" not in text
    assert "inputs.json" in caught.value.hint


def test_nothing_is_missing_when_all_is_given() -> None:
    assert missing([script(BUCKET, PREFIX, NAMES, SIZE)], {"BUCKET": "text:b", "SIZE": "text:small"}) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"BUCKET": "ignore"}, "BUCKET is required and cannot be ignored (configure)"),
        ({"BUCKET": "text:b", "NAMES": "text:a"}, 'NAMES is an array, write array:["text:…"] (configure)'),
        ({"BUCKET": 'array:["text:a"]'}, "BUCKET is no array (configure)"),
        ({"BUCKET": "text:b", "SIZE": "text:huge"}, "SIZE must be one of text:small, text:large (configure)"),
    ],
)
def test_an_input_that_does_not_fit_its_declaration_is_named(given: dict[str, str], why: str) -> None:
    assert [str(each) for each in missing([script(BUCKET, NAMES, SIZE)], given)] == [why]


def test_a_required_variable_must_be_set_on_the_node() -> None:
    with pytest.raises(InputsError, match=r"BUCKET is required and env:B is not set \(configure\)"):
        resolved(BUCKET, given={"BUCKET": "env:B"})


@pytest.mark.parametrize(
    "typed",
    [
        "", "text", "TEXT:x", "blank:", "env:", "cred:", "key:", "array", "array:", "array:a",
        'array:{"a": 1}', "array:[1]", 'array:["a"]', 'array:["text:"]', 'array:["text:a,b"]',
        'array:["blank"]', 'array:["array:[]"]',
    ],
)  # fmt: skip
def test_other_types_are_faults(typed: str) -> None:
    assert fault(typed)


@pytest.mark.parametrize(
    ("typed", "secret"),
    [("text:x", False), ("cred:x", True), ("key:x", True), ("array:[]", False), ('array:["cred:x"]', True)],
)
def test_secrets_are_told_from_the_rest(typed: str, secret: bool) -> None:
    assert not fault(typed)
    assert is_secret(typed) is secret


def test_a_name_that_nobody_declares_is_named() -> None:
    assert undeclared([script(BUCKET)], {"BUCKET": "blank", "Z": "blank", "A": "blank"}) == ["A", "Z"]


def test_a_node_without_the_file_was_given_nothing(tmp_path: Path) -> None:
    assert load_given(tmp_path / "inputs.json") == {}


@pytest.mark.parametrize("text", ["[]", '{"A": 1}', "{", '{"A": {"B": "text:c"}}'])
def test_a_file_that_is_no_flat_object_of_strings_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(text)
    with pytest.raises(InputsError, match=r"inputs\.json"):
        load_given(path)
