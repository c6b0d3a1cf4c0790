"""Thumbnails by libvips, in an environment that has it: WIDTH, ORIGINAL and RESULT in a line, by tabs.

Each is answered with `done`, or with the reason why it is not. JPEGs are shrunk while they are decoded.
"""

from __future__ import annotations

import sys

import pyvips  # type: ignore[import-not-found]


def main() -> None:
    """Make thumbnails until there are no more lines."""
    pyvips.cache_set_max(0)  # each is to be made
    for line in sys.stdin:
        width, original, result = line.rstrip("\n").split("\t")
        try:
            pyvips.Image.thumbnail(original, int(width)).jpegsave(result, Q=80, keep="none")
            answer = "done"
        except pyvips.Error as error:
            answer = str(error).replace("\n", " ")
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
