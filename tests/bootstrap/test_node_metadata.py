from __future__ import annotations

from typing import Any

import pytest

from bootstrap.errors import MetadataError
from bootstrap.metadata import SERVICE, Identity, Metadata
from bootstrap.web import Answer

TOKEN, ID, REGION = (
    f"{SERVICE}/{path}" for path in ("api/token", "meta-data/instance-id", "meta-data/placement/region")
)
ROLES = f"{SERVICE}/meta-data/iam/security-credentials/"


@pytest.fixture
def metadata(web: Any, clock: Any) -> Metadata:
    web.answers = {
        TOKEN: [Answer(200, "t0k")],
        ID: [Answer(200, "i-1\n")],
        REGION: [Answer(200, "eu-west-1")],
    }
    return Metadata(web, clock)


def test_a_token_is_fetched_first_and_shown_with_every_question(web: Any, metadata: Metadata) -> None:
    assert metadata.identity() == Identity("i-1", "eu-west-1")
    assert [(method, url) for method, url, _ in web.asked] == [("PUT", TOKEN), ("GET", ID), ("GET", REGION)]
    assert all(headers == {"X-aws-ec2-metadata-token": "t0k"} for _, _, headers in web.asked[1:])


def test_one_hiccup_is_forgiven(web: Any, metadata: Metadata) -> None:
    web.answers[TOKEN] = [Answer(503), Answer(200, "t0k")]
    assert metadata.identity().instance_id == "i-1"


def test_a_token_that_is_no_longer_known_is_renewed(web: Any, metadata: Metadata) -> None:
    web.answers[ID] = [Answer(401), Answer(200, "i-1")]
    assert metadata.identity().instance_id == "i-1"
    assert [method for method, _, _ in web.asked].count("PUT") == 2


def test_a_machine_without_the_service_is_told_so_when_its_patience_is_over(
    web: Any, clock: Any, metadata: Metadata
) -> None:
    web.answers = {}
    with pytest.raises(MetadataError, match="connection refused") as caught:
        metadata.identity()
    assert clock.monotonic() == metadata.budget_seconds
    assert caught.value.hint


def test_what_is_not_there_is_nothing(web: Any, metadata: Metadata) -> None:
    web.answers[f"{SERVICE}/meta-data/autoscaling/target-lifecycle-state"] = [Answer(404)]
    assert metadata.get("meta-data/autoscaling/target-lifecycle-state") is None


def test_the_roles_keys_come_with_their_end(web: Any, metadata: Metadata) -> None:
    keys = '{"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T", "Expiration": "2026-01-01T00:00:00Z"}'
    web.answers |= {ROLES: [Answer(200, "node\n")], f"{ROLES}node": [Answer(200, keys)]}
    found = metadata.credentials()
    assert (found.access_key, found.secret_key, found.token, found.expires) == ("A", "S", "T", 1767225600.0)


def test_an_instance_without_a_role_is_told_what_it_needs(web: Any, metadata: Metadata) -> None:
    web.answers[ROLES] = [Answer(404)]
    with pytest.raises(MetadataError, match="has no role") as caught:
        metadata.credentials()
    assert "node-policy.json" in caught.value.hint
