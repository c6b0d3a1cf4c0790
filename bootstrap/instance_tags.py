"""The node's state as tags of its EC2 instance: best effort, in order, behind the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bootstrap.metadata import Identity
    from bootstrap.state import State

Publish = Callable[["State"], None]
LONGEST_TAG = 256


def tags(state: State) -> list[dict[str, str]]:
    """Return the tags that show a state; a tag holds no line breaks here and 256 characters at most."""
    reason = " ".join(state.reason.split())[:LONGEST_TAG]
    return [{"Key": "bootstrap:state", "Value": state.state}, {"Key": "bootstrap:reason", "Value": reason}]


def client(region: str, environment: Mapping[str, str]) -> Any:
    """Return an EC2 client that gives up soon; the environment may aim it elsewhere."""
    import botocore.config
    import botocore.session

    patience = botocore.config.Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
    )
    wanted = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or region
    return botocore.session.get_session().create_client("ec2", region_name=wanted, config=patience)


def publisher(identity: Identity, new_client: Callable[[str], Any]) -> Publish:
    """Return what tags this instance; the client is made on first use, for its import is slow."""
    made: list[Any] = []

    def publish(state: State) -> None:
        if not made:
            made.append(new_client(identity.region))
        made[0].create_tags(Resources=[identity.instance_id], Tags=tags(state))

    return publish


@contextmanager
def in_background(publish: Publish, say: Callable[[str], None]) -> Iterator[Publish]:
    """Give a `publish` that returns at once; all is sent, in order, by the end. Failures are said only."""

    def tell(done: Future[None]) -> None:
        if why := done.exception():
            say(f"tags: not set: {why}")

    with ThreadPoolExecutor(max_workers=1) as worker:
        yield lambda state: worker.submit(publish, state).add_done_callback(tell)
