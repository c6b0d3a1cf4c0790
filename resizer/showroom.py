"""A page for browsers that shows some originals in all formats and modes, and what the browser makes of them.

Beneath each result stands its size as decoded, and how many frames move; one that cannot be shown is called
`broken`. When all have been looked at, the body's `data-shown` says how many they are.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMATS = ("jpeg", "png", "webp", "avif", "gif")
MODES = (
    "w120,h120",
    "w120,h120,fill",
    "w120,h120,pad",
    "w120,h120,pad,bg_1f2933",
    "w120,h120,crop",
    "w120,h120,smart",
    "w120,h120,gray",
    "w120,h120,blur3",
    "w120,h120,sharpen2",
    "w120,h120,rot90",
)
# What is transparent in a result lets this through.
BACKGROUND = "#b8c4d0"
_STYLE = f"""
body {{ background: {BACKGROUND}; color: #1f2933; font: 13px/1.35 system-ui, sans-serif; margin: 24px; }}
h2 {{ margin: 28px 0 8px; }}
table {{ border-collapse: collapse; table-layout: fixed; width: 960px; }}
td, th {{ font-weight: normal; padding: 0 0 12px; text-align: left; vertical-align: top; }}
th:first-child {{ width: 190px; }}
img {{ display: block; }}
output {{ display: block; }}
"""
# Frames are counted by the decoder that shows them. Browsers that lend it to nobody tell the size alone.
_SCRIPT = """
async function frames(answer) {
  const type = answer.headers.get("content-type");
  if (!self.ImageDecoder || !await ImageDecoder.isTypeSupported(type)) return "";
  const decoder = new ImageDecoder({type, data: await answer.clone().arrayBuffer()});
  await decoder.tracks.ready;
  await decoder.completed;
  const count = decoder.tracks.selectedTrack.frameCount;
  return count > 1 ? `, ${count} frames` : "";
}
async function look(image) {
  const told = image.closest("td").querySelector("output");
  const at = image.getBoundingClientRect();
  image.dataset.at = [at.x + scrollX, at.y + scrollY];
  try {
    await image.decode();
    const answer = await fetch(image.src);
    const bytes = (await answer.clone().arrayBuffer()).byteLength;
    told.title = `${bytes} bytes, ${answer.headers.get("content-type")}`;
    told.value = `${image.naturalWidth} x ${image.naturalHeight}${await frames(answer)}`;
  } catch (error) {
    told.value = `broken: ${error.message}`;
  }
}
addEventListener("load", async () => {
  await Promise.all(Array.from(document.images, look));
  document.body.dataset.shown = document.images.length;
});
"""


def page(keys: Sequence[str], link: Callable[[str, str], str]) -> str:
    """Return the page; `link(key, options)` is the URL of a result."""
    title = "Results in all formats and modes"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><body><h1>{title}</h1>\n"
        + "".join(_of_original(key, link) for key in keys)
        + f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _of_original(key: str, link: Callable[[str, str], str]) -> str:
    heads = "".join(f"<th>{name}</th>" for name in ("", *FORMATS))
    rows = "".join(
        f"<tr><th><code>{mode}</code></th>"
        + "".join(_cell(link(key, f"{mode},f_{name}"), f"{mode},f_{name}") for name in FORMATS)
        + "</tr>\n"
        for mode in MODES
    )
    return f"<h2>{escape(key)}</h2>\n<table><tr>{heads}</tr>\n{rows}</table>\n"


def _cell(url: str, options: str) -> str:
    return f'<td><a href="{escape(url)}"><img src="{escape(url)}" alt="{options}"></a><output>…</output></td>'
