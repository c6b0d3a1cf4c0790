from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bake.pernode import pytest_collection_modifyitems as group


class Item:
    def __init__(self, **params: str) -> None:
        self.marks: list[Any] = []
        if params:
            self.callspec = SimpleNamespace(params=params)

    def add_marker(self, mark: Any) -> None:
        self.marks.append((mark.name, *mark.args))


def test_a_nodes_tests_are_handed_out_together_and_those_of_all_nodes_for_themselves() -> None:
    items: list[Any] = [Item(_testinfra_host="a"), Item(), Item(_testinfra_host="a", n="1"), Item(n="1")]
    group(items)
    names = [mark for item in items for mark in item.marks]
    assert names == [("xdist_group", name) for name in ("a", "all nodes", "a", "all nodes")]
