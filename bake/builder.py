"""A builder: a temporary machine with temporary access, that ends with its block or else by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aws import temporary
from aws.instance import Instance, Launch, console_tail, describe, launch, start, terminate, wait_running
from aws.keys import SshKey
from aws.ownership import EXPIRES, RUN, moment, tag_list
from bake.access import Access
from bake.errors import CloudInitFailed, Outrun, SshUnreachable
from bake.image import FINGERPRINT
from bake.ssh import Login, wait_for_ssh

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.image import Image
    from bake.kitchen import Kitchen
    from bake.machine import Machine
    from bake.progress import Progress
    from bake.spec import Spec

LIMIT_SECONDS = 2 * 3600
SSH_BUDGET_SECONDS = 300


@dataclass(frozen=True)
class Builder:
    """A running builder and the ways in."""

    kitchen: Kitchen
    instance_id: str
    group_id: str
    login: Login
    key: SshKey

    @contextmanager
    def reached(self) -> Iterator[Machine]:
        """A login as soon as there is one, and the machine settled.

        When there is none, the console's last lines come with the error.
        """
        cloud, progress = self.kitchen.cloud, self.kitchen.progress
        with ExitStack() as stack:
            with progress.phase(f"reach {self.instance_id} over SSH"):
                machine = stack.enter_context(_logged_in(cloud, self.instance_id, self.login))
                settle(machine, progress)
            yield machine

    @property
    def access(self) -> Access:
        """Where a person's way in is kept."""
        return Access(self.kitchen.shelf.builder(self.instance_id))

    def keep(self) -> None:
        """Leave the builder to a person, and say how to log in: a sweep takes it once it has expired."""
        ec2 = self.kitchen.cloud.ec2
        # It ends itself so long after its boot, whoever keeps it.
        begun = describe(self.kitchen.cloud, [self.instance_id])[0]["LaunchTime"]
        until = begun + timedelta(seconds=LIMIT_SECONDS)
        kept = {RUN: f"kept-{self.instance_id}", EXPIRES: moment(until)}
        ec2.create_tags(Resources=[self.instance_id, self.group_id], Tags=tag_list(kept))
        # It bakes no more: nobody shall wait for its image.
        ec2.delete_tags(Resources=[self.instance_id], Tags=[{"Key": FINGERPRINT}])
        line = self.access.write(self.login, self.key)
        self.kitchen.progress.note(f"{self.instance_id} is kept until {until:%H:%M} UTC; log in with:")
        self.kitchen.progress.note(line)
        self.kitchen.progress.note(
            f"end it with: aws ec2 terminate-instances --instance-ids {self.instance_id}"
        )


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
def builder(kitchen: Kitchen, base: Image, spec: Spec, fingerprint: str) -> Iterator[Builder]:
    """A machine from the base image that claims a fingerprint, running.

    Gone when the block ends, however it ends, unless it is to be kept.
    """
    cloud, run = kitchen.cloud, kitchen.run
    key, host_key = SshKey.generate(), SshKey.generate()
    with temporary.key_pair(cloud, run, key) as key_name, ExitStack() as stack:
        with kitchen.progress.phase(f"launch a builder from {base.id} ({base.name})"):
            group = temporary.create_group(cloud, run, kitchen.place, [22])
            stack.callback(temporary.end_group, cloud, group)
            wanted = Launch(
                image_id=base.id,
                instance_type=spec.instance_type,
                subnet_id=kitchen.place.subnet_id,
                tags=run.tags(**{FINGERPRINT: fingerprint}),
                key_name=key_name,
                group_ids=(group,),
                user_data=user_data(host_key, LIMIT_SECONDS),
                root_device=base.root_device,
                root_gib=max(spec.root_volume_gib, base.size_bytes // 2**30),
            )
            (instance_id,) = launch(cloud, wanted)
            stack.callback(terminate, cloud, [instance_id])
            (instance,) = wait_running(cloud, [instance_id])
        made = Builder(kitchen, instance_id, group, _login(instance, base, key, host_key), key)
        with _attended(made, stack):
            yield made


@contextmanager
def _attended(made: Builder, stack: ExitStack) -> Iterator[None]:
    """Decide at the end of the block whether the builder goes with `stack`, or stays for a person."""
    care, progress = made.kitchen.care, made.kitchen.progress
    try:
        yield
    except Outrun:
        raise
    except Exception as why:
        if care.keeps(progress, why):
            stack.pop_all()
            made.keep()
        else:
            made.access.remove()
        raise
    if care.keeps(progress, None):
        _revived(made).keep()
        stack.pop_all()
    else:
        made.access.remove()


def _revived(made: Builder) -> Builder:
    """A builder that was stopped and cleaned, up again: its first boot over anew lets the same key in."""
    cloud = made.kitchen.cloud
    if describe(cloud, [made.instance_id])[0]["State"]["Name"] != "stopped":
        return made
    again = start(cloud, made.instance_id)
    risen = replace(made, login=replace(made.login, address=again.address))
    with risen.reached():
        return risen


def _login(instance: Instance, base: Image, key: SshKey, host_key: SshKey) -> Login:
    return Login(instance.address, base.login, pkey=key.private, host_key=host_key.public)


@contextmanager
def _logged_in(cloud: Cloud, instance_id: str, login: Login) -> Iterator[Machine]:
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
