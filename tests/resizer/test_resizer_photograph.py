"""The demonstration photograph has the size asked for, a photograph's detail, and always the same bytes."""

from __future__ import annotations

import pytest
from PIL import Image, ImageStat
from resizer_picture import opened, rendering

from resizer.photograph import photograph


@pytest.mark.parametrize("size", [(600, 400), (400, 600), (17, 200), (16, 16), (301, 199)])
def test_the_photograph_has_the_size_asked_for(size: tuple[int, int]) -> None:
    assert opened(photograph(*size)).size == size


def test_the_photograph_is_always_the_same() -> None:
    assert photograph(300, 200) == photograph(300, 200)


def test_the_photograph_looks_like_a_landscape() -> None:
    image = opened(photograph(600, 400))
    red, _, blue = ImageStat.Stat(image.crop((0, 0, 600, 60))).mean
    assert blue > red  # the sky
    _, green, blue = ImageStat.Stat(image.crop((0, 350, 600, 400))).mean
    assert green > blue  # the meadow
    assert image.entropy() > 7


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_may_be_held_any_way(orientation: int) -> None:
    image = opened(rendering(photograph(240, 160, orientation), 60).data)
    assert image.size == (60, 40)
    reference = opened(photograph(240, 160)).resize((60, 40), Image.Resampling.LANCZOS)
    for box in [(0, 0, 30, 20), (30, 0, 60, 20), (0, 20, 30, 40), (30, 20, 60, 40)]:
        pair = zip(
            ImageStat.Stat(image.crop(box)).mean, ImageStat.Stat(reference.crop(box)).mean, strict=True
        )
        assert all(abs(a - b) < 3 for a, b in pair)


@pytest.mark.parametrize("arguments", [(15, 100), (100, 0), (100, 100, 0), (100, 100, 9)])
def test_a_photograph_that_cannot_be_is_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no photograph of"):
        photograph(*arguments)
