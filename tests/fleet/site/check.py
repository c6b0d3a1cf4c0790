"""What a fresh boot of the site's images is tested with."""

from typing import Any

import pytest

pytestmark = pytest.mark.machines


def test_the_page_is_served(host: Any) -> None:
    assert host.service("site.service").is_running
