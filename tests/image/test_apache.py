from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("name", ["apache2", "libapache2-mod-wsgi-py3"])
def test_the_package_is_installed(host: Any, name: str) -> None:
    assert host.package(name).is_installed


def test_the_configuration_is_sound(host: Any) -> None:
    checked = host.run("apache2ctl configtest")
    assert (checked.rc, "Syntax OK" in checked.stderr) == (0, True), checked.stderr


def test_apache_runs_now_and_after_every_boot(host: Any) -> None:
    service = host.service("apache2")
    assert (service.is_running, service.is_enabled) == (True, True)


def test_apache_listens_on_port_80(host: Any) -> None:
    assert host.socket("tcp://80").is_listening


def test_apache_tells_nobody_its_version(get: Any) -> None:
    assert get("/health").headers["server"] == "Apache"


def test_mod_wsgi_is_loaded(host: Any) -> None:
    assert "wsgi_module" in host.check_output("apache2ctl -M")


def test_the_default_site_is_off(host: Any, get: Any) -> None:
    assert not host.file("/etc/apache2/sites-enabled/000-default.conf").exists
    assert b"Apache2 Debian Default Page" not in get("/").body


def test_the_node_itself_may_see_what_apache_is_doing(inside: Any) -> None:
    assert "Scoreboard: " in inside("/server-status?auto")


@pytest.mark.parametrize("path", ["/server-status", "/server-info", "/.htaccess"])
def test_what_is_private_is_not_shown(get: Any, path: str) -> None:
    assert get(path).status in (400, 403, 404)
