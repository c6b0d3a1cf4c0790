"""Who this machine is, from the instance metadata service, version 2."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from bootstrap.clock import Clock
from bootstrap.errors import MetadataError
from bootstrap.signature import Credentials
from bootstrap.web import Answer, Ask

SERVICE = "http://169.254.169.254/latest"
# The service answers in milliseconds or not at all.
TIMEOUT_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
_TOKEN_SECONDS = 21600


@dataclass(frozen=True)
class Identity:
    """The instance id and region of this machine."""

    instance_id: str
    region: str


@dataclass
class Metadata:
    """The metadata service; one that does not answer is asked again for `budget_seconds`.

    `token` is what it last gave, good for six hours; it is asked for one where there is none.
    """

    ask: Ask
    clock: Clock
    budget_seconds: float = 2.0
    token: str = field(default="", repr=False)

    def identity(self) -> Identity:
        """Return who this machine is. Raises MetadataError when the service does not answer."""
        return Identity(self._must("meta-data/instance-id"), self._must("meta-data/placement/region"))

    def get(self, path: str) -> str | None:
        """Return what is at a path, None when nothing is. Raises MetadataError."""
        answer = self._answer(path)
        return None if answer.status == 404 else answer.body.strip()

    def credentials(self) -> Credentials:
        """Return the keys of the instance's role. Raises MetadataError when it has none."""
        role = self.get("meta-data/iam/security-credentials/")
        if not role:
            raise MetadataError(
                "this instance has no role, so it may ask AWS for nothing",
                hint="launch it with an instance profile; bootstrap/node-policy.json is what its role needs",
            )
        held = json.loads(self._must(f"meta-data/iam/security-credentials/{role.split()[0]}"))
        expires = datetime.fromisoformat(held["Expiration"]).timestamp() if "Expiration" in held else None
        return Credentials(held["AccessKeyId"], held["SecretAccessKey"], held.get("Token") or "", expires)

    def time(self) -> datetime | None:
        """Return the time of day by the service's clock, None when it does not tell. Raises MetadataError."""
        date = self._answer("meta-data/instance-id").headers.get("date")
        return parsedate_to_datetime(date) if date else None

    def _must(self, path: str) -> str:
        found = self.get(path)
        if found is None:
            raise MetadataError(f"the instance metadata service has no {path}")
        return found

    def _answer(self, path: str) -> Answer:
        end = self.clock.monotonic() + self.budget_seconds
        while True:
            try:
                return self._once(path)
            except OSError as why:
                if self.clock.monotonic() + _PAUSE_SECONDS > end:
                    raise MetadataError(
                        f"the instance metadata service does not answer: {why}",
                        hint=f"is this EC2, with metadata enabled? try a PUT to {SERVICE}/api/token",
                    ) from why
            self.clock.sleep(_PAUSE_SECONDS)

    def _once(self, path: str) -> Answer:
        self.token = self.token or self._new_token()
        bearer = {"X-aws-ec2-metadata-token": self.token}
        answer = self.ask("GET", f"{SERVICE}/{path}", TIMEOUT_SECONDS, bearer)
        if answer.status not in (200, 404):
            # A token does not outlive its machine's next stop, nor some restarts of the service.
            self.token = ""
            raise OSError(f"{path} answered {answer.status}")
        return answer

    def _new_token(self) -> str:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        answer = self.ask("PUT", f"{SERVICE}/api/token", TIMEOUT_SECONDS, lifetime)
        if answer.status != 200:
            raise OSError(f"api/token answered {answer.status}")
        return answer.body.strip()
