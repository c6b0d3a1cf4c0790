from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bake.fingerprint import Fingerprint, difference, fingerprint
from bake.spec import load

Write = Callable[..., Path]
STEPS = "[[step]]\npackages = ['curl']\n[[step]]\nfile = '/etc/a/b'\ncontent = 'one'\n"


def of(path: Path, base: str = "ami-1") -> Fingerprint:
    return fingerprint(load(path), base)


def test_the_same_spec_has_the_same_fingerprint(write: Write) -> None:
    assert of(write(STEPS)) == of(write(STEPS))


CHANGES = {
    "step file /etc/a/b": ("content = 'one'", "content = 'two'"),
    "step packages": ("'curl'", "'jq'"),
    "step file /etc/a/b mode": ("content = 'one'", "content = 'one'\nmode = '0600'"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_step_is_the_only_difference(write: Write, what: str) -> None:
    old = of(write(STEPS))
    new = of(write(STEPS.replace(*CHANGES[what])))
    (line,) = difference(old.inputs, new.inputs)
    assert line.startswith(f"{what.removesuffix(' mode')} changed")
    assert old.digest != new.digest


def test_the_root_volume_counts_and_the_instance_type_does_not(write: Write) -> None:
    plain = of(write(STEPS))
    assert of(write(f"instance_type = 'm7i.large'\n{STEPS}")) == plain
    assert difference(plain.inputs, of(write(f"root_volume_gib = 9\n{STEPS}")).inputs) == [
        "root volume changed: 8 GiB -> 9 GiB"
    ]


def test_the_base_image_counts(write: Write) -> None:
    path = write(STEPS)
    assert difference(of(path).inputs, of(path, "ami-2").inputs) == ["base image changed: ami-1 -> ami-2"]


def test_a_rendered_variable_counts(write: Write, tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("{{ x }}")
    more = "[vars]\nx = '{}'\n[[step]]\nfile = '/etc/a/b'\ntemplate = 't.j2'\n"
    assert of(write(more.format("1"))).digest != of(write(more.format("2"))).digest


def test_the_order_of_steps_counts(write: Write) -> None:
    one, two = "[[step]]\nunit = 'a'\n", "[[step]]\nabsent = '/a/b'\n"
    lines = difference(of(write(one + two)).inputs, of(write(two + one)).inputs)
    assert [line.split(" changed")[0] for line in lines] == ["order of steps"]


def test_what_came_and_what_went_is_said(write: Write) -> None:
    lines = difference(of(write()).inputs, of(write("[[step]]\nunit = 'a'\n")).inputs)
    assert "step unit a is new" in lines
    assert "step unit a is gone" in difference(of(write("[[step]]\nunit = 'a'\n")).inputs, of(write()).inputs)


def test_where_the_project_lies_does_not_count(tmp_path: Path) -> None:
    digests = set()
    for name in ("here", "there"):
        folder = tmp_path / name
        (folder / "src").mkdir(parents=True)
        (folder / "src/a").write_text("a")
        (folder / "s.toml").write_text(
            "name = 's'\nbase = 'debian-13'\n[[step]]\ntree = '/opt/x'\nsource = 'src'\n"
        )
        digests.add(of(folder / "s.toml").digest)
    assert len(digests) == 1
