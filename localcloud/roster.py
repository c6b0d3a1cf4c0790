"""The instances that there are: moto's records of them, and who is told when they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from localcloud.checks import Health

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}


def set_state(record: Any, name: str, code: str = "", message: str = "") -> None:
    """Set a record's state, and its StateReason when one is given."""
    record._state.name, record._state.code = name, STATE_CODES[name]
    if code:
        record.state_reason.code, record.state_reason.message = code, f"{code}: {message}"


class Roster(ABC):
    """Every instance of the site. A record is moto's `Instance`; its state says what is under way."""

    def __init__(self) -> None:
        self._records: dict[str, Any] = {}
        self._followers: list[Callable[[], object]] = []

    def records(self) -> list[Any]:
        """Every instance's record, oldest first, terminated ones too."""
        return list(self._records.values())

    def record(self, instance_id: str) -> Any | None:
        """The record of an instance, None when there is no such instance."""
        return self._records.get(instance_id)

    def by_address(self, address: str) -> Any | None:
        """The record of the instance that owns an address now."""
        for record in self._records.values():
            if record.private_ip_address == address and record.state != "terminated":
                return record
        return None

    def follow(self, follower: Callable[[], object]) -> None:
        """Have `follower` called now and after every change of EC2's records."""
        self._followers.append(follower)
        follower()

    def changed(self) -> None:
        """Tell the followers that records have changed."""
        for follower in self._followers:
            follower()

    @abstractmethod
    def health(self, instance_id: str) -> Health:
        """What a status check of an instance finds."""

    @abstractmethod
    def launch(self, record: Any) -> None:
        """Bring a new record to life; it is `pending` until it runs."""

    @abstractmethod
    def restore(self, records: Iterable[Any]) -> None:
        """Take over the instances of an earlier run."""

    @abstractmethod
    def start(self, record: Any) -> None:
        """Start a stopped instance again."""

    @abstractmethod
    def stop(self, record: Any) -> None:
        """Stop an instance and keep its disk."""

    @abstractmethod
    def reboot(self, record: Any) -> None:
        """Ask an instance to reboot."""

    @abstractmethod
    def terminate(self, record: Any) -> None:
        """End an instance for good."""

    @abstractmethod
    def capture(self, record: Any, layer: Path, *, reboot: bool) -> tuple[Path, ...]:
        """Make a layer of an instance's disk and return the layers of an image of it."""

    @abstractmethod
    def console(self, instance_id: str) -> bytes:
        """The last 64 KiB that an instance's console said, as EC2 keeps."""

    @abstractmethod
    def layers_in_use(self) -> Iterable[Path]:
        """The layers that instances stand on."""

    @abstractmethod
    def end_all(self, *, patience_seconds: float) -> None:
        """Let all that runs on this computer end; what it holds stays."""
