"""The image API in this process: boto3 on one side, moto behind our hooks on the other, no socket between."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.test import Client

from localcloud import image_api
from localcloud.catalog import Catalog
from localcloud.ebs import Ebs
from localcloud.errors import LocalCloudError
from localcloud.site import Site


class Raw(io.BytesIO):
    """A body as botocore reads it from urllib3."""

    def stream(self, size: int = 65536, **_: object) -> Iterator[bytes]:
        while piece := self.read(size):
            yield piece


@dataclass
class Machines:
    """Stands in for the instances: every capture is a layer with one file that names its machine."""

    catalog: Catalog
    in_use: list[Path] = field(default_factory=list)
    trouble: str = ""
    may_finish: threading.Event = field(default_factory=threading.Event)

    def capture(self, record: Any, layer: Path, *, reboot: bool) -> tuple[Path, ...]:
        assert self.may_finish.wait(10)
        if self.trouble:
            raise LocalCloudError(self.trouble)
        layer.mkdir()
        (layer / "made-of").write_text(f"{record.id} {'rebooted' if reboot else 'running'}")
        return (layer, *self.catalog.layers_of(record.image_id))

    def layers_in_use(self) -> Iterable[Path]:
        return self.in_use


class ImageCloud:
    """A cloud of one process. `restart` is what a new daemon on the same folder does."""

    def __init__(self, home: Path, aws: Callable[..., Any]) -> None:
        self.site = Site(home=home / "home", cache=home / "cache")
        self.later = timedelta(0)
        self.notices: list[str] = []
        self._aws = aws
        self.catalog = Catalog(self.site, self.notices.append, self.now)
        self.machines = Machines(self.catalog)
        self.machines.may_finish.set()
        for tree in self.site.cache.glob("debian-*"):
            (tree / "tree").mkdir(exist_ok=True)
        image_api.install(self.catalog, self.machines)
        self.catalog.load()
        self.ebs_app = Ebs(self.catalog)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def client(self, service: str, region: str = "us-east-1") -> Any:
        client = boto3.client(
            service,
            region_name=region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            endpoint_url="http://in.process",
            config=Config(retries={"max_attempts": 0}),
        )
        client.meta.events.register("before-send", self._answer)
        return client

    def wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.005)

    def debian(self) -> str:
        return next(image.id for image in self.catalog.images.values() if image.name.startswith("debian-13"))

    def instance(self, **more: Any) -> str:
        asked = {"ImageId": self.debian(), "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", **more}
        return str(self.client("ec2").run_instances(**asked)["Instances"][0]["InstanceId"])

    def image(self, name: str = "made", **more: Any) -> str:
        """An available image of a new machine."""
        made = self.client("ec2").create_image(InstanceId=self.instance(), Name=name, **more)["ImageId"]
        self.wait(lambda: self.catalog.images[made].state != "pending")
        return str(made)

    def snapshot_of(self, image_id: str) -> str:
        return self.catalog.images[image_id].snapshot

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        body = request.body.read() if hasattr(request.body, "read") else request.body
        headers = [
            (name, value.decode() if isinstance(value, bytes) else value)
            for name, value in request.headers.items()
        ]
        answer = Client(self._app).open(request.url, method=request.method, headers=headers, data=body)
        return AWSResponse(request.url, answer.status_code, dict(answer.headers), Raw(answer.data))  # type: ignore[arg-type]

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.ebs_app.concerns(environ):
            return self.ebs_app(environ, start_response)
        answer: Iterable[bytes] = self._aws(environ, start_response)
        self.catalog.save()
        return answer


@contextmanager
def refused(code: str, saying: str = "") -> Iterator[None]:
    """Pass when what is done in the block is refused by AWS's code for it."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert saying in str(caught.value), error
