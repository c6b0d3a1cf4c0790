from __future__ import annotations

from typing import Any

import pytest

from bootstrap.errors import MetadataError
from bootstrap.metadata import ATTEMPTS, SERVICE, Identity, identity
from bootstrap.web import Answer

TOKEN, ID, REGION = (
    f"{SERVICE}/{path}" for path in ("api/token", "meta-data/instance-id", "meta-data/placement/region")
)


def answering(web: Any) -> Any:
    web.answers = {
        TOKEN: [Answer(200, "t0k")],
        ID: [Answer(200, "i-1\n")],
        REGION: [Answer(200, "eu-west-1")],
    }
    return web


def test_a_token_is_fetched_first_and_shown_with_every_question(web: Any) -> None:
    assert identity(answering(web)) == Identity("i-1", "eu-west-1")
    assert [(method, url) for method, url, _ in web.asked] == [("PUT", TOKEN), ("GET", ID), ("GET", REGION)]
    assert all(headers == {"X-aws-ec2-metadata-token": "t0k"} for _, _, headers in web.asked[1:])


def test_one_hiccup_is_forgiven(web: Any) -> None:
    answering(web).answers[TOKEN] = [Answer(503), Answer(200, "t0k")]
    assert identity(web).instance_id == "i-1"


def test_a_machine_without_the_service_is_told_so_after_few_attempts(web: Any) -> None:
    with pytest.raises(MetadataError, match="connection refused") as caught:
        identity(web)
    assert len(web.asked) == ATTEMPTS
    assert caught.value.hint
