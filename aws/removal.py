"""The end of what was temporary: told when it fails, and never in the way of the error that led to it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws.errors import AwsError

_log = logging.getLogger(__name__)


def end(what: str, act: Callable[[], Any]) -> None:
    """Remove something; a failure is told, with its name, and does not hide what led here."""
    try:
        act()
    except (AwsError, BotoCoreError, ClientError) as why:
        _log.warning("%s could not be removed (%s): `invoke sweep` removes it later", what, why)
