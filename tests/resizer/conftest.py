"""What the resizer's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from resizer_node import PHOTO, Node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def photo(node: Node) -> Node:
    node.upload("a.jpg", PHOTO)
    return node
