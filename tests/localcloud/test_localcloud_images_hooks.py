"""Calls that moto does not answer at all, and how they are added to it."""

from __future__ import annotations

import pytest

from localcloud import hooks
from localcloud.errors import LocalCloudError

_TARGET = "moto.ec2.responses:EC2Response.enable_image_deprecation"


def test_only_names_that_are_known_to_be_missing_can_be_added() -> None:
    with pytest.raises(KeyError, match="is not in ADDED"):
        hooks.add("moto.ec2.responses:EC2Response.describe_images", lambda _: None)


def test_a_call_that_moto_learned_to_answer_is_named(unhooked: None) -> None:
    hooks.add(_TARGET, lambda _: None)
    with pytest.raises(LocalCloudError, match="enable_image_deprecation: is there already"):
        hooks.verify()
