from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from image_cloud import ImageCloud

from localcloud import hooks


@pytest.fixture(scope="session")
def moto_app() -> Callable[..., Any]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    app: Callable[..., Any] = DomainDispatcherApplication(create_backend_app)
    return app


@pytest.fixture
def unhooked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back after a test what it hooked into moto, and what moto remembers of it."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.core.base_backend import BackendDict

    originals = {target: getattr(*hooks._find(target)) for target in hooks.HOOKED}
    BackendDict.reset()
    yield
    for target, original in originals.items():
        setattr(*hooks._find(target), original)
    for target in hooks.ADDED:
        owner, name = hooks._find(target)
        if hasattr(owner, name):
            delattr(owner, name)
    BackendDict.reset()


@pytest.fixture
def new_cloud(unhooked: None, moto_app: Callable[..., Any], tmp_path: Path) -> Callable[[], ImageCloud]:
    """Make a cloud, and again one on the same folder, as a daemon that was started anew."""
    return lambda: ImageCloud(tmp_path, moto_app)


@pytest.fixture
def image_cloud(new_cloud: Callable[[], ImageCloud]) -> ImageCloud:
    return new_cloud()
