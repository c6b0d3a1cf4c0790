"""Keep README's task list true: `python tests/readme.py` checks it, `--write` rewrites it.

The list is what `invoke --list` prints, between two markers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
_BETWEEN = re.compile(r"(<!-- tasks -->\n```\n).*?(\n```\n<!-- /tasks -->)", re.DOTALL)


def listing() -> str:
    """What `invoke --list` says of the tasks, a line each."""
    invoke = Path(sys.executable).parent / "invoke"
    environment = {**os.environ, "COLUMNS": "200"}
    said = subprocess.run(
        [str(invoke), "--list", "--list-format=flat"],
        cwd=README.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows: list[str] = []
    for line in said.splitlines()[2:]:
        # invoke folds help texts at 80 columns whatever the terminal; a folded line starts far to the right.
        if re.match(r" {2}\S", line):
            rows.append(line.strip())
        elif line.strip():
            rows[-1] += " " + line.strip()
    return "\n".join(rows)


def main() -> int:
    """Compare, or rewrite with --write."""
    text = README.read_text()
    wanted = _BETWEEN.sub(lambda found: found[1] + listing() + found[2], text)
    if "--write" in sys.argv:
        README.write_text(wanted)
    elif text != wanted:
        sys.stderr.write(
            "README's task list is not what `invoke --list` prints: run tests/readme.py --write\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
