from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bake.errors import SpecError
from bake.spec import layers, load

Write = Callable[..., Path]


def refused(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return f"{caught.value} | {caught.value.hint}"


def test_a_spec_says_little_and_the_rest_is_default(write: Write) -> None:
    spec = load(write())
    assert (spec.name, spec.base, spec.architecture) == ("web", "debian-13", "x86_64")
    assert (spec.instance_type, spec.root_volume_gib, spec.steps) == ("t3.small", 8, ())
    assert (spec.verify.tests, spec.verify.bucket, spec.verify.inputs) == ((), False, ())


def test_a_spec_can_be_a_key(write: Write) -> None:
    path = write('[[step]]\npackages = ["curl"]\n[vars]\nb = 1\n')
    assert {load(path): 1}[load(path)] == 1


CASES = {
    "an unknown key": ("arhitecture = 'arm64'\n", "did you mean `architecture`?"),
    "a wrong type": ("root_volume_gib = 'big'\n", "a whole number above zero"),
    "a value out of its list": ("architecture = 'sparc'\n", "one of x86_64, arm64"),
    "an unknown key of verify": ("[verify]\nbukcet = true\n", "did you mean `bucket`?"),
    "a verify test that is not there": ("[verify]\ntests = ['nowhere']\n", "`tests` names nowhere"),
    "a step without a kind": ("[[step]]\npakages = ['a']\n", "did you mean `packages`?"),
    "a step of two kinds": ("[[step]]\npackages = ['a']\nunit = 'b'\n", "`packages` and `unit`"),
    "a step's unknown option": ("[[step]]\nunit = 'b'\nenabeld = true\n", "did you mean `enabled`?"),
    "a step's missing option": ("[[step]]\nlink = '/a/b'\n", "lacks `to`"),
    "a step's wrong type": ("[[step]]\nunit = 'b'\nenabled = 'yes'\n", "takes true or false"),
    "a missing source": (
        "[[step]]\nfile = '/a/b'\nsource = 'gone'\n",
        "`source` names gone, which is not there",
    ),
    "two contents": (
        "[[step]]\nfile = '/a/b'\ncontent = 'x'\nsource = 'y'\n",
        "exactly one of: source, template",
    ),
    "no content": ("[[step]]\nfile = '/a/b'\n", "has no content"),
    "a mode that is none": ("[[step]]\nfile = '/a/b'\ncontent = 'x'\nmode = '999'\n", "octal"),
    "the root as a place": ("[[step]]\nabsent = '/'\n", "at least two levels deep"),
    "a place that climbs": ("[[step]]\nabsent = '/a/../../b'\n", "at least two levels deep"),
    "an empty list": ("[[step]]\npackages = []\n", "a non-empty list"),
    "a command without its test": ("[[step]]\ncommand = 'true'\n", "lacks `unless`"),
    "no TOML": ("= 3\n", "not TOML"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_file_key_and_what_would_be_right(write: Write, case: str) -> None:
    more, words = CASES[case]
    assert words in refused(write(more))


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('name = ""\nbase = "debian-13"\n')
    assert "`name`" in refused(path)


def test_a_missing_spec_is_refused(tmp_path: Path) -> None:
    assert "no such spec file" in refused(tmp_path / "gone.toml")


def test_the_group_of_a_folder_is_no_second_kind(write: Write) -> None:
    (step,) = load(write("[[step]]\nfolder = '/a/b'\ngroup = 'staff'\n")).steps
    assert (step.kind, step.options.text("group")) == ("folder", "staff")


def test_layers_come_bottom_first(write: Write) -> None:
    write(name="low")
    top = write(name="top", base="low.toml")
    assert [spec.name for spec in layers(top)] == ["low", "top"]


def test_a_circle_of_specs_is_named(write: Write) -> None:
    write(name="low", base="top.toml")
    top = write(name="top", base="low.toml")
    with pytest.raises(SpecError, match=r"top\.toml -> low\.toml -> top\.toml"):
        layers(top)


def test_layers_of_two_architectures_are_refused(write: Write) -> None:
    write(name="low")
    top = write("architecture = 'arm64'\n", name="top", base="low.toml")
    with pytest.raises(SpecError, match=r"arm64.* but low\.toml beneath is x86_64"):
        layers(top)
