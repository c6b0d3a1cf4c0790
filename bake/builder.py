"""A builder: a temporary machine with temporary access, that ends with its block or else by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws import temporary
from aws.instance import Launch, console_tail, launched, wait_running
from aws.keys import SshKey
from bake.errors import CloudInitFailed, SshUnreachable
from bake.ssh import Login, wait_for_ssh

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.image import Image
    from bake.kitchen import Kitchen
    from bake.machine import Machine
    from bake.progress import Progress

LIMIT_SECONDS = 2 * 3600
SSH_BUDGET_SECONDS = 300


@dataclass(frozen=True)
class Builder:
    """A running builder and the way in."""

    instance_id: str
    machine: Machine


def user_data(host_key: SshKey, limit_seconds: int) -> str:
    """The builder's cloud-config: a host key that the desk knows in advance, and a limit to its life.

    The host key is good for this builder alone and is removed with it; knowing it means that nobody
    else can answer in the builder's place, not even on the first connection.
    """
    # Not a timer unit: this early, systemd-run waits for the boot, and the boot for it.
    limit = ["sh", "-c", f"setsid sh -c 'sleep {limit_seconds}; poweroff' >/dev/null 2>&1 </dev/null &"]
    config = {
        "ssh_keys": {"ed25519_private": host_key.private, "ed25519_public": host_key.public},
        "bootcmd": [limit],
    }
    return "#cloud-config\n" + json.dumps(config)


@contextmanager
def builder(kitchen: Kitchen, base: Image, instance_type: str) -> Iterator[Builder]:
    """A machine from the base image, logged in to and settled; gone when the block ends, however it ends."""
    cloud, run, progress = kitchen.cloud, kitchen.run, kitchen.progress
    key, host_key = SshKey.generate(), SshKey.generate()
    with ExitStack() as stack:
        with progress.phase(f"launch a builder from {base.id} ({base.name})"):
            wanted = Launch(
                image_id=base.id,
                instance_type=instance_type,
                subnet_id=kitchen.place.subnet_id,
                tags=run.tags(),
                key_name=stack.enter_context(temporary.key_pair(cloud, run, key)),
                group_ids=(stack.enter_context(temporary.security_group(cloud, run, kitchen.place, [22])),),
                user_data=user_data(host_key, LIMIT_SECONDS),
            )
            (instance_id,) = stack.enter_context(launched(cloud, wanted))
            (instance,) = wait_running(cloud, [instance_id])
        with progress.phase(f"reach {instance.id} over SSH"):
            login = Login(instance.address, base.login, pkey=key.private, host_key=host_key.public)
            machine = stack.enter_context(_reached(cloud, instance.id, login))
            settle(machine, progress)
        yield Builder(instance_id, machine)


@contextmanager
def _reached(cloud: Cloud, instance_id: str, login: Login) -> Iterator[Machine]:
    """A login as soon as there is one; when there is none, the console's last lines come with the error."""
    try:
        with wait_for_ssh(login, SSH_BUDGET_SECONDS) as machine:
            yield machine
    except SshUnreachable as why:
        tail = console_tail(cloud, instance_id)
        raise SshUnreachable(f"{why}\nits console ends:\n{tail}" if tail else str(why), why.hint) from why


def settle(machine: Machine, progress: Progress) -> None:
    """Wait for cloud-init; a recoverable error (exit code 2) is a warning. Raises CloudInitFailed."""
    ended = machine.run("cloud-init status --wait --long", timeout_seconds=600)
    if ended.exit_code == 2:
        progress.note(f"cloud-init ended with a recoverable error: {ended.stdout.strip()[-300:]}")
    elif not ended.ok:
        raise CloudInitFailed(
            f"cloud-init failed on {machine!r}:\n{ended.output[-800:]}",
            "try the base image alone: launch it and read /var/log/cloud-init.log on it",
        )
