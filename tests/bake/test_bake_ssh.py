from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bake import ssh
from bake.errors import HostKeyMismatch, MachineError, SshUnreachable

LOGIN = ssh.Login("192.0.2.1", "debian", pkey="no key")


@dataclass
class Time:
    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, seconds: float) -> ssh.Patience:
        return ssh.Patience(self.now + seconds, lambda: self.now, self.sleep)


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "in"

    return attempt


def test_a_closed_port_is_asked_again_soon() -> None:
    time = Time()
    assert ssh._persist(LOGIN, failing(ssh.PortClosed("x"), ssh.PortClosed("x")), time.patience(9)) == "in"
    assert time.pauses == [0.25, 0.25]


def test_failed_logins_never_add_up_to_what_sshd_bars_for() -> None:
    time, charge, worst = Time(), 0.0, 0.0
    assert ssh._persist(LOGIN, failing(*[SshUnreachable("x")] * 20), time.patience(900)) == "in"
    for pause in time.pauses:
        charge += 5
        worst = max(worst, charge)
        charge = max(0.0, charge - pause)
    assert (time.pauses[:4], worst < 15) == ([3.0, 5.0, 6.0, 6.0], True)


def test_a_spent_budget_says_the_last_reason_and_its_next_step() -> None:
    attempt = failing(*[SshUnreachable("refused", hint="look")] * 9)
    with pytest.raises(SshUnreachable, match="no login within the budget, last: refused") as caught:
        ssh._persist(LOGIN, attempt, Time().patience(10))
    assert caught.value.hint == "look"


def test_somebody_elses_host_key_is_not_waited_out() -> None:
    time = Time()
    with pytest.raises(HostKeyMismatch):
        ssh._persist(LOGIN, failing(HostKeyMismatch("x")), time.patience(900))
    assert time.pauses == []


@pytest.mark.parametrize(
    "login", [LOGIN, ssh.Login("192.0.2.1", "a", key_file=Path("/nowhere/key")), ssh.Login("192.0.2.1", "a")]
)
def test_a_key_that_is_none_is_refused_before_anyone_is_dialled(login: ssh.Login) -> None:
    with pytest.raises(MachineError, match="key"), ssh.wait_for_ssh(login, 60):
        pass


def test_a_login_never_shows_its_key() -> None:
    assert "no key" not in f"{LOGIN} {LOGIN!r}"


def test_a_time_limit_is_kept_by_the_far_side() -> None:
    assert ssh._limited(["sh", "-c", "a b"], 5) == "timeout --kill-after=10 5 sh -c 'a b'"
    assert ssh._limited(["sh", "-c", "a b"], None) == "sh -c 'a b'"
