"""Specs written by the test, and golden files; `BLESS=1` rewrites the latter."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("BLESS"):
            path.write_text(text)
        assert text == path.read_text()

    return compare


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a small sound spec with some lines more, and say where it is."""

    def write(more: str = "", name: str = "web", base: str = "debian-13") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(f'name = "{name}"\nbase = "{base}"\n{more}')
        return path

    return write
