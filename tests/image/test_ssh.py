from __future__ import annotations

from typing import Any

import pytest

WANTED = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "permitrootlogin": "no",
    "pubkeyauthentication": "yes",
}


@pytest.fixture(scope="module")
def settings(host: Any) -> dict[str, str]:
    lines = host.check_output("sshd -T").splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


@pytest.mark.parametrize("name", WANTED)
def test_sshd_is_set_to_keys_only_and_no_root(settings: dict[str, str], name: str) -> None:
    assert settings[name] == WANTED[name]


def test_nobody_has_a_password(host: Any) -> None:
    accounts = [line.split(":")[:2] for line in host.check_output("getent shadow").splitlines()]
    assert [name for name, secret in accounts if not secret.startswith(("!", "*"))] == []


def test_root_alone_is_user_0(host: Any) -> None:
    users = [line.split(":") for line in host.check_output("getent passwd").splitlines()]
    assert [user[0] for user in users if user[2] == "0"] == ["root"]
