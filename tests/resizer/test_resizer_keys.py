"""Keys of a role: renewed in time, used while they are good, and never waited for in a queue."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError

from resizer.bucket import S3Store, connector
from resizer.config import Config
from resizer.errors import StoreError
from resizer.keys import REST_SECONDS, Keys


class Service:
    """A metadata service: each look gets the next of these lives, in seconds; None: no answer."""

    def __init__(self, *lives: float | None) -> None:
        self.lives = list(lives)
        self.looks = 0

    def look(self) -> dict[str, str]:
        life = self.lives[min(self.looks, len(self.lives) - 1)]
        self.looks += 1
        if life is None:
            return {}
        expires = (datetime.now(UTC) + timedelta(seconds=life)).isoformat()
        return {
            "access_key": f"key{self.looks}",
            "secret_key": "s",
            "token": "t",
            "expiry_time": expires,
        }

    def keys(self, clock: Any = lambda: 0.0) -> Keys:
        made = RefreshableCredentials.create_from_metadata(self.look(), self.look, "iam-role")
        return Keys(made, clock)


def used(keys: Keys) -> str:
    return str(keys.get_frozen_credentials().access_key)


def test_keys_that_are_good_for_long_are_not_renewed() -> None:
    service = Service(7200)
    keys = service.keys()
    assert [used(keys), used(keys), service.looks] == ["key1", "key1", 1]


def test_keys_that_end_soon_are_renewed() -> None:
    service = Service(60, 7200)
    keys = service.keys()
    assert [used(keys), used(keys), service.looks] == ["key2", "key2", 2]


def test_keys_that_cannot_be_renewed_are_used_while_they_are_good() -> None:
    now = [0.0]
    service = Service(60, 60, None)
    keys = service.keys(lambda: now[0])
    assert [used(keys) for _ in range(4)] == ["key2"] * 4
    assert service.looks == 3
    now[0] = REST_SECONDS
    used(keys)
    assert service.looks == 4


def test_without_good_keys_all_hear_of_it_from_one_look_and_the_service_is_left_alone_for_a_while() -> None:
    now = [0.0]
    service = Service(-5, None, None, 7200)
    keys = service.keys(lambda: now[0])

    def ask(_: int) -> None:
        with pytest.raises(CredentialRetrievalError):
            used(keys)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert service.looks == 2
    now[0] = REST_SECONDS
    ask(0)
    now[0] = 2 * REST_SECONDS
    assert used(keys) == "key4"


def test_nobody_waits_for_a_renewal_while_there_are_good_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    service, looking, answers = Service(60), threading.Event(), threading.Event()
    keys = service.keys()
    assert used(keys) == "key2"
    look = keys._credentials._refresh_using

    def slow() -> dict[str, str]:
        looking.set()
        assert answers.wait(30)
        return dict(look())

    monkeypatch.setattr(keys._credentials, "_refresh_using", slow)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(used, keys)
        assert looking.wait(30)
        assert used(keys) == "key2"
        answers.set()
        assert renewing.result() == "key3"


def test_keys_that_are_no_role_s_are_used_as_they_are() -> None:
    keys = Keys(Credentials("own", "s"))
    assert [used(keys), used(keys)] == ["own", "own"]


def test_a_crowd_without_credentials_looks_for_them_once() -> None:
    looked: list[int] = []
    waiting, vain = threading.Barrier(9), threading.Event()

    def connect() -> Any:
        looked.append(len(looked))
        assert vain.wait(30)
        time.sleep(0.2)  # for all of them to be waiting
        raise NoCredentialsError

    store = S3Store(connect, "photos")

    def ask(_: int) -> str:
        waiting.wait(30)
        with pytest.raises(StoreError, match="NoCredentialsError") as refused:
            store.read("a", 1)
        return str(refused.value)

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(ask, range(8))
        waiting.wait(30)
        vain.set()
        assert len(set(answers)) == 1
    assert looked == [0]


def test_without_credentials_no_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda _: None)
    with pytest.raises(NoCredentialsError):
        connector(Config(bucket="photos"))()
