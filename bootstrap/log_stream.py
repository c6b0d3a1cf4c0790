"""A node's stream in a group of CloudWatch Logs, which are made where they are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.errors import ApiError

if TYPE_CHECKING:
    from bootstrap.api import Api


@dataclass(frozen=True)
class LogStream:
    """Where events go; the stream's name is the node's instance id."""

    api: Api
    group: str
    name: str

    def put(self, events: Sequence[Mapping[str, object]]) -> None:
        """Put events, in the order of their time. Raises ApiError, UnreachableError or MetadataError."""
        try:
            self._put(events)
        except ApiError as why:
            if why.code != "ResourceNotFoundException":
                raise
            self._make()
            self._put(events)

    def _put(self, events: Sequence[Mapping[str, object]]) -> None:
        from bootstrap.api import LOGS

        asked = {"logGroupName": self.group, "logStreamName": self.name, "logEvents": list(events)}
        self.api.json(LOGS, "PutLogEvents", asked)

    def _make(self) -> None:
        from bootstrap.api import LOGS

        for action, named in (
            ("CreateLogGroup", {"logGroupName": self.group}),
            ("CreateLogStream", {"logGroupName": self.group, "logStreamName": self.name}),
        ):
            try:
                self.api.json(LOGS, action, named)
            except ApiError as why:
                if why.code != "ResourceAlreadyExistsException":
                    raise
