"""An S3 on this computer that can go away and come back: moto's, on a port of its own."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "photos"
_KEYS = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}


class Endpoint:
    """Where the bucket is; its content outlives the server."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self._server: Any = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.begin()
        self.client = boto3.client(
            "s3", "us-east-1", endpoint_url=self.url, aws_access_key_id="made-up",
            aws_secret_access_key="made-up", config=Config(proxies={}),
        )  # fmt: skip
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def environment(self) -> dict[str, str]:
        """What a node's processes have to know."""
        return {
            **_KEYS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def begin(self) -> None:
        """Listen."""
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()

    def end(self) -> None:
        """Let connections be refused."""
        self._server.stop()

    def upload(self, key: str, data: bytes) -> None:
        """Put an original into the bucket."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """One for a block."""
    made = Endpoint()
    try:
        yield made
    finally:
        made.end()
