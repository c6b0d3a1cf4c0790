"""What the resizer's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from resizer_node import PHOTO, Node

if TYPE_CHECKING:
    from pathlib import Path

    from serving_node import Pair


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def photo(node: Node) -> Node:
    node.upload("a.jpg", PHOTO)
    return node


@pytest.fixture(scope="module")
def pair(desk: Any, baked: dict[str, Any]) -> Iterator[Pair]:
    from serving_node import launched_pair

    with launched_pair(desk, baked["image_id"]) as nodes:
        yield nodes
