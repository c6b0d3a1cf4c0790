"""A pytest plugin: the tests of one node run one after another, those of different nodes at the same time.

pytest-xdist hands out tests by group; testinfra repeats each test for each node. A test may restart what
another looks at, so a node's tests share a group. All of a node's commands go through one shell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bake import nodeshell

if TYPE_CHECKING:
    from collections.abc import Sequence

_NODE = "_testinfra_host"


def pytest_configure() -> None:
    """Offer `node://` hosts."""
    nodeshell.install()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Group tests by their node; those that see all nodes at once are a group of their own."""
    for item in items:
        called_with = getattr(item, "callspec", None)
        node = called_with.params.get(_NODE) if called_with else None
        item.add_marker(pytest.mark.xdist_group(str(node or "all nodes")))
