from __future__ import annotations

import pytest

from bootstrap.errors import HeaderError
from bootstrap.header import InputSpec, parse

# as `right_st rightscript scaffold` writes it
SCAFFOLDED = """#! /usr/bin/sudo /bin/bash
# ---
# RightScript Name: Run Foo Tool
# Description: |
#   Runs **foo**,
#
#   twice.
# Packages: "apt:foo bar yum:baz"
# Inputs:
#   FOO_PARAM:
#     Category: RightScale
#     Description: "Multi-line
#       text"
#     Input Type: single
#     Required: false
#     Advanced: true
#     Default: "text:foo1"
#     Possible Values: ["text:foo1", "text:foo2"]
#   SECRET: {Required: yes, Input Type: single}
#   LIST:
#     Input Type: array
#     Default: 'array:["text:v1","text:v2"]'
# Attachments:
# - foo
# - configs/bar.conf
# ...

# --- not a header
set -e
"""


def header(*lines: str) -> str:
    return "\n".join(["#!/bin/sh", "# ---", *(f"# {line}" for line in lines), "# ...", "exit 0", ""])


def test_a_scaffolded_header_is_read_whole() -> None:
    script = parse(SCAFFOLDED, "run-foo")
    assert (script.name, script.title) == ("run-foo", "Run Foo Tool")
    assert script.description == "Runs **foo**,\n\ntwice."
    assert script.attachments == ("foo", "configs/bar.conf")
    assert list(script.inputs) == ["FOO_PARAM", "SECRET", "LIST"]
    assert script.inputs["FOO_PARAM"] == InputSpec(
        "FOO_PARAM", "Multi-line text", "RightScale", "single", advanced=True,
        default="text:foo1", possible_values=("text:foo1", "text:foo2"),
    )  # fmt: skip
    assert script.inputs["SECRET"].required


def test_debian_packages_are_those_of_apt_and_of_nobody() -> None:
    assert parse(SCAFFOLDED, "x").debian_packages() == ("foo", "bar")


@pytest.mark.parametrize("marker", ["#", "//", "--"])
def test_the_marker_may_be_that_of_another_language(marker: str) -> None:
    text = f"{marker} ---\n{marker} RightScript Name: x\n{marker} ...\n"
    assert parse(text, "x").title == "x"


def test_a_header_without_spaces_behind_the_marker_is_read() -> None:
    text = "#---\n#RightScript Name: x\n#Inputs:\n#  A:\n#    Required: true\n#...\n"
    assert parse(text, "x").inputs["A"].required


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#!/bin/sh\necho\n", "x: has no header"),
        ("# ---\n# RightScript Name: x\necho\n", "begins on line 1 does not end with `# ...`"),
        (header("Name: x"), "no key Name; known are RightScript Name"),
        (header("Description: x"), "`RightScript Name` is missing"),
        (header("RightScript Name: [x]"), "`RightScript Name` is not a text"),
        (header("RightScript Name: x", "RightScript Name: y"), "line 4: the key 'RightScript Name' is there"),
        (header("RightScript Name: x", "Inputs: {A: {Required: true, Required: false}}"), "'Required' is"),
        (header("RightScript Name: x", "  y: z"), "line 4"),
        (header("RightScript Name: x", "Inputs: {A-B: {}}"), "'A-B' is no name for an input"),
        (header("RightScript Name: x", "Inputs: {PATH: {}}"), "PATH is a name that scripts get"),
        (header("RightScript Name: x", "Inputs: {LD_PRELOAD: {}}"), "LD_PRELOAD is a name"),
        (header("RightScript Name: x", "Inputs: {A: text}"), "the input A is no mapping"),
        (header("RightScript Name: x", "Inputs: {A: {Requird: true}}"), "the input A has no key Requird"),
        (header("RightScript Name: x", "Inputs: {A: {Required: 1}}"), "`Required` is not true or false"),
        (header("RightScript Name: x", "Inputs: {A: {Input Type: list}}"), "use single or array"),
        (header("RightScript Name: x", "Inputs: {A: {Default: foo}}"), "its default has no known type"),
        (header("RightScript Name: x", "Inputs: {A: {Default: 'text:'}}"), "nothing after text:"),
        (
            header("RightScript Name: x", "Inputs: {A: {Default: ignore, Required: true}}"),
            "cannot be ignored",
        ),
        (header("RightScript Name: x", "Inputs: {A: {Possible Values: [foo]}}"), "a possible value has no"),
        (
            header("RightScript Name: x", "Inputs: {A: {Default: 'text:c', Possible Values: ['text:a']}}"),
            "its default must be one of text:a",
        ),
        (header("RightScript Name: x", "Attachments: [../etc/passwd]"), "'../etc/passwd' is not below"),
        (header("RightScript Name: x", "Attachments: foo"), "`Attachments` is not a list"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(HeaderError) as caught:
        parse(text, "x")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("x: ")
    assert caught.value.hint
