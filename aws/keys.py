"""SSH keys that live as long as one run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SshKey:
    """An ed25519 key: what OpenSSH reads, and the line that trusts it."""

    private: str
    public: str

    @classmethod
    def generate(cls) -> SshKey:
        """A new key; its private half never leaves the desk."""
        key = Ed25519PrivateKey.generate()
        return cls(
            private=key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
            public=key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        )

    def write(self, path: Path) -> Path:
        """Keep the private half in a file that only its owner may read."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self.private)
        return path
