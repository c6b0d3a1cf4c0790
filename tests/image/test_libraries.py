from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

LOCK = Path(__file__).parents[2] / "bake" / "locks" / "resizer.txt"
PYTHON = "/opt/resizer/venv/bin/python"
VERSIONS = """
import importlib.metadata, json, re
named = {each.name: each.version for each in importlib.metadata.distributions()}
print(json.dumps({re.sub(r"[-_.]+", "-", name).lower(): version for name, version in named.items()}))
"""
ROUND_TRIP = """
import io, sys
from PIL import Image
there, picture = io.BytesIO(), Image.new("RGB", (64, 48), "teal")
picture.save(there, sys.argv[1])
print(*Image.open(io.BytesIO(there.getvalue())).resize((32, 24)).size)
"""


def test_the_application_has_the_locked_packages_and_no_other(host: Any) -> None:
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", LOCK.read_text(), re.MULTILINE))
    assert json.loads(host.check_output("%s -I -c %s", PYTHON, VERSIONS)) == locked
    assert "pillow" in locked


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_pillow_writes_and_reads_every_format_of_results(host: Any, kind: str) -> None:
    assert host.check_output("%s -I -c %s %s", PYTHON, ROUND_TRIP, kind) == "32 24"
