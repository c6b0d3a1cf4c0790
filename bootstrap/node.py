"""The machine this runs on: its files, its web, its clock and its voice; and AWS, seen from here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.clock import Clock
from bootstrap.errors import MetadataError
from bootstrap.metadata import Identity, Metadata
from bootstrap.runner import Execute
from bootstrap.web import Ask

if TYPE_CHECKING:
    from bootstrap.announcement import Behind
    from bootstrap.api import Api
    from bootstrap.signature import Credentials

METADATA_TOKEN = "BOOTSTRAP_METADATA_TOKEN"  # noqa: S105 - a name
"""Where scripts find the token that the run they belong to was given."""
# cloud-init has seen an EC2 instance: its metadata service is there, however late it answers.
_LONG_METADATA_SECONDS = 120.0
_SHORT_METADATA_SECONDS = 2.0


@dataclass(frozen=True)
class Places:
    """Where a node keeps what it is told and what it knows."""

    settings: Path = Path("/etc/amibake/bootstrap.toml")
    inputs: Path = Path("/etc/amibake/inputs.json")
    run_lists: Path = Path("/etc/amibake/run-lists.json")
    scripts: Path = Path("/opt/amibake/scripts")
    state: Path = Path("/run/amibake/state.json")
    lock: Path = Path("/run/amibake/lock")
    record: Path = Path("/var/lib/amibake/instance.json")
    cloud_id: Path = Path("/run/cloud-init/cloud-id")


@dataclass(frozen=True)
class Node:
    """The doors to the machine. `behind` does something in a copy of this process."""

    environment: Mapping[str, str]
    ask: Ask
    clock: Clock
    say: Callable[[str], None]
    execute: Execute
    behind: Behind
    places: Places = field(default_factory=Places)

    @functools.cached_property
    def metadata(self) -> Metadata:
        """The metadata service, waited for where there must be one."""
        held = self.environment.get(METADATA_TOKEN, "")
        return Metadata(self.ask, self.clock, self._metadata_seconds(), held)

    def identity(self) -> Identity:
        """Return who this machine is; nobody, after saying so, where no metadata service answers."""
        region = self.environment.get("AWS_REGION") or self.environment.get("AWS_DEFAULT_REGION")
        try:
            me = self.metadata.identity()
        except MetadataError as why:
            self.say(f"identity: {why} ({why.hint})")
            return Identity("", region or "")
        return Identity(me.instance_id, region or me.region)

    def api(self, region: str) -> Callable[[], Api]:
        """Return what makes the way to AWS on its first use, and gives the same one after."""

        @functools.cache
        def make() -> Api:
            from bootstrap.api import Api

            url = self.environment.get("AWS_ENDPOINT_URL", "")
            return Api(region, self.credentials, self.ask, self.clock, self.say, url)

        return make

    def credentials(self) -> Credentials:
        """Return the keys in the environment, else the role's. Raises MetadataError when there are none."""
        from bootstrap.signature import Credentials

        held = self.environment
        if held.get("AWS_ACCESS_KEY_ID"):
            token = held.get("AWS_SESSION_TOKEN", "")
            return Credentials(held["AWS_ACCESS_KEY_ID"], held.get("AWS_SECRET_ACCESS_KEY", ""), token)
        return self.metadata.credentials()

    def _metadata_seconds(self) -> float:
        try:
            on_aws = self.places.cloud_id.read_text().strip() == "aws"
        except OSError:
            on_aws = False
        return _LONG_METADATA_SECONDS if on_aws else _SHORT_METADATA_SECONDS
