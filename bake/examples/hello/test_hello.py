"""What a fresh node of the example must show."""

from __future__ import annotations

from typing import Any


def test_apache_greets(host: Any) -> None:
    assert host.check_output("python3 -c %s", _FETCH) == "Hello from a baked image"


def test_the_application_runs_as_its_own_user(host: Any) -> None:
    assert host.process.filter(user="hello")


_FETCH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1/').read().decode())"
