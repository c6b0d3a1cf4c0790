"""Geometry: every mode has its exact size and cuts the middle, and the way back through turns is exact."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from resizer.geometry import Plan, drafted, plan, turned, turns, unturned
from resizer.options import Options

SIDES = st.integers(1, 5000)
MODES = st.sampled_from(["fit", "fill", "pad", "crop", "smart"])


def planned(
    source: tuple[int, int], width: int | None = None, height: int | None = None, **more: Any
) -> Plan:
    return plan(source, Options(width, height, **more))


@pytest.mark.parametrize(
    ("source", "box", "size"),
    [
        ((2464, 1632), (600, None), (600, 397)),
        ((2464, 1632), (None, 600), (906, 600)),
        ((2464, 1632), (600, 600), (600, 397)),
        ((1632, 2464), (600, 600), (397, 600)),
        ((2464, 1632), (600, 100_000), (600, 397)),
        ((300, 200), (600, 600), (300, 200)),
        ((300, 200), (None, None), (300, 200)),
        ((10_000, 1), (10, None), (10, 1)),
    ],
)
def test_fit_stays_inside_the_box_and_meets_one_side_exactly(
    source: tuple[int, int], box: tuple[int | None, int | None], size: tuple[int, int]
) -> None:
    assert planned(source, *box) == Plan((0, 0, *source), size, size)


def test_nothing_is_enlarged_unless_it_is_asked_for() -> None:
    for mode in ("fit", "fill", "smart"):
        assert planned((300, 200), 600, 400, mode=mode).size == (300, 200)
        assert planned((300, 200), 600, 400, mode=mode, enlarge=True).size == (600, 400)
    assert planned((300, 200), 600, 600, mode="pad").size == (300, 200)
    assert planned((300, 200), 600, 600, mode="pad", enlarge=True).size == (600, 400)


def test_fill_covers_the_box_and_cuts_evenly() -> None:
    assert planned((1000, 500), 100, 100, mode="fill") == Plan((250, 0, 750, 500), (100, 100), (100, 100))
    assert planned((500, 1000), 100, 100, mode="fill") == Plan((0, 250, 500, 750), (100, 100), (100, 100))


def test_fill_of_a_small_original_has_the_shape_of_the_box() -> None:
    assert planned((500, 2000), 600, 600, mode="fill") == Plan((0, 750, 500, 1250), (500, 500), (500, 500))
    assert planned((300, 300), 600, 400, mode="smart").canvas == (300, 200)


def test_pad_has_the_size_of_the_box_whatever_the_original() -> None:
    for source in [(10, 10), (5000, 20), (600, 400)]:
        assert planned(source, 600, 400, mode="pad").canvas == (600, 400)


def test_crop_does_not_scale() -> None:
    assert planned((1000, 500), 100, 200, mode="crop") == Plan((450, 150, 550, 350), (100, 200), (100, 200))
    assert planned((1000, 100), 100, 200, mode="crop") == Plan((450, 0, 550, 100), (100, 100), (100, 100))


@pytest.mark.parametrize(("dpr", "width"), [(1.0, 99), (1.5, 149), (2.0, 198), (1.15, 114), (0.001, 1)])
def test_dpr_multiplies_the_box(dpr: float, width: int) -> None:
    assert planned((4000, 3000), 99, dpr=dpr).size[0] == width


@given(SIDES, SIDES, SIDES, SIDES, MODES, st.booleans(), st.sampled_from([1.0, 1.5, 2.0]))
def test_every_plan_stays_within_the_original_and_within_the_box(
    across: int, down: int, width: int, height: int, mode: Any, enlarge: bool, dpr: float
) -> None:
    wanted = planned((across, down), width, height, mode=mode, enlarge=enlarge, dpr=dpr)
    left, top, right, bottom = wanted.box
    assert 0 <= left < right <= across
    assert 0 <= top < bottom <= down
    assert min(wanted.size) >= 1
    for have, limit in zip(wanted.canvas, (width, height), strict=True):
        assert have <= int(limit * dpr + 0.5)
    assert all(small <= large for small, large in zip(wanted.size, wanted.canvas, strict=True))
    if not enlarge:
        assert wanted.size[0] <= across
        assert wanted.size[1] <= down


@given(SIDES, SIDES, SIDES, SIDES)
def test_fit_keeps_the_shape_to_half_a_pixel(across: int, down: int, width: int, height: int) -> None:
    size = planned((across, down), width, height).size
    scale = min(Fraction(width, across), Fraction(height, down), Fraction(1))
    assert abs(size[0] - across * scale) <= (0.5 if across * scale >= 0.5 else 1)
    assert abs(size[1] - down * scale) <= (0.5 if down * scale >= 0.5 else 1)


@pytest.mark.parametrize(("orientation", "rotate"), list(product(range(1, 9), (0, 90, 180, 270))))
def test_a_box_is_found_in_the_picture_as_it_is_stored(orientation: int, rotate: int) -> None:
    stored = Image.frombytes("L", (12, 8), bytes(range(96)))
    steps = turns(orientation, rotate)
    upright = stored
    for step in steps:
        upright = upright.transpose(step)
    assert upright.size == turned(stored.size, steps)
    part = stored.crop(tuple(map(int, unturned((1, 2, 5, 7), stored.size, steps))))  # type: ignore[arg-type]
    for step in steps:
        part = part.transpose(step)
    assert part.tobytes() == upright.crop((1, 2, 5, 7)).tobytes()


@pytest.mark.parametrize(
    ("box", "size", "scale"),
    [
        ((0, 0, 2464, 1632), (600, 397), 4),
        ((0, 0, 2464, 1632), (617, 409), 2),
        ((0, 0, 8000, 8000), (10, 10), 8),
        ((0, 0, 834, 555), (417, 278), 2),
        ((0, 0, 834, 555), (418, 278), 1),
        ((0, 0, 100, 100), (200, 200), 1),
        ((1000, 0, 1600, 600), (300, 300), 2),
        ((0, 0, 800, 100), (100, 100), 1),
    ],
)
def test_a_jpeg_is_drafted_for_the_part_that_is_wanted(
    box: tuple[int, int, int, int], size: tuple[int, int], scale: int
) -> None:
    assert drafted(box, size) == scale
