"""Effects: what is done to the small picture after it has its size. Pure."""

from __future__ import annotations

from PIL import Image, ImageFilter

from resizer.geometry import Size
from resizer.options import Colour, Options

WHITE: Colour = (255, 255, 255)
_SHARPEN_RADIUS = 1.0  # pixels of the result: what downscaling softens lies no farther apart


def finished(image: Image.Image, options: Options) -> Image.Image:
    """Return the picture grey, blurred and sharpened as the options ask for."""
    if options.gray:
        image = image.convert("LA" if has_alpha(image) else "L")
    if options.blur:
        image = _filtered(image, ImageFilter.GaussianBlur(options.blur))
    if options.sharpen:
        percent = round(100 * options.sharpen)
        image = _filtered(image, ImageFilter.UnsharpMask(_SHARPEN_RADIUS, percent, threshold=0))
    return image


def has_alpha(image: Image.Image) -> bool:
    """Tell whether the picture has a transparent channel."""
    return image.mode in {"LA", "RGBA"}


def flattened(image: Image.Image, colour: Colour) -> Image.Image:
    """Return the picture without transparency, laid on `colour`."""
    if not has_alpha(image):
        return image
    paper = Image.new("RGBA", image.size, (*colour, 255))
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")


def padded(image: Image.Image, canvas: Size, colour: Colour | None) -> Image.Image:
    """Return the picture in the middle of a canvas of `colour`, None for a transparent one."""
    if image.size == canvas:
        return image
    paper = Image.new("RGBA", canvas, (*WHITE, 0) if colour is None else (*colour, 255))
    paper.paste(image.convert("RGBA"), ((canvas[0] - image.width) // 2, (canvas[1] - image.height) // 2))
    return paper if colour is None or has_alpha(image) else paper.convert("RGB")


def _filtered(image: Image.Image, kernel: ImageFilter.Filter) -> Image.Image:
    if not has_alpha(image):
        return image.filter(kernel)
    # Colours of transparent pixels must not bleed into their neighbours: weigh them by their opacity first.
    mode = image.mode
    return image.convert("RGBA").convert("RGBa").filter(kernel).convert("RGBA").convert(mode)
