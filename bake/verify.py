"""Proof of an image: fresh nodes of it, tested from outside before anyone else launches one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aws import temporary
from aws.errors import InstanceLost
from aws.instance import Instance, Launch, launched, wait_running
from aws.keys import SshKey
from aws.scratch import scratch
from aws.userdata import node_user_data
from bake.builder import SSH_BUDGET_SECONDS
from bake.errors import NotVerified, SshUnreachable
from bake.image import FAILED, VERIFIED, Image, set_state
from bake.nodeshell import SCHEME
from bake.report import TestReport, read_junit
from bake.ssh import Login, wait_for_ssh

if TYPE_CHECKING:
    from bake.kitchen import Kitchen
    from bake.spec import Verify

NODES = 2
"""Two, because what must differ between nodes (host keys, machine id) shows only on two."""

_SUITE_SECONDS = 900


@dataclass(frozen=True)
class Trial:
    """Fresh nodes with a launch key, and the bucket that was made for them."""

    nodes: tuple[Instance, ...]
    login: str
    key_file: Path
    key: SshKey
    bucket: str
    folder: Path

    @property
    def ssh_config(self) -> Path:
        """What the system's ssh is told: one connection per node, and no one's own configuration."""
        path = self.folder / "ssh_config"
        path.write_text(
            "Host *\n"
            "  IdentitiesOnly yes\n"
            "  StrictHostKeyChecking accept-new\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n"
            "  LogLevel ERROR\n"
            "  ControlMaster auto\n"
            f"  ControlPath {self.folder}/%C\n"
            "  ControlPersist 120\n"
        )
        return path


def verify(kitchen: Kitchen, image: Image, instance_type: str, wanted: Verify) -> TestReport:
    """Boot fresh nodes of an image, test them, and tag the image with the verdict.

    Raises NotVerified, naming the tests that failed; the image is then `failed` and never picked.
    """
    reports = kitchen.shelf.folder(image.id)
    try:
        with (
            trial(kitchen, image, instance_type, wanted) as fresh,
            kitchen.progress.phase(f"test {len(fresh.nodes)} fresh nodes of {image.id}"),
        ):
            report = run_suite(fresh, wanted.tests, reports)
    except (InstanceLost, SshUnreachable) as why:
        set_state(kitchen.cloud, image, FAILED)
        raise NotVerified(f"a fresh node of {image.id} did not come up: {why}", why.hint) from why
    report.write(reports / "report.json")
    set_state(kitchen.cloud, image, FAILED if report.failed or not report.count("passed") else VERIFIED)
    if report.failed:
        names = ", ".join(case.name for case in report.failed)
        raise NotVerified(
            f"{image.id} failed {len(report.failed)} of {len(report.cases)} tests on a fresh boot: {names}",
            f"read {reports / 'report.log'}; the image is tagged `{FAILED}` and will not be picked",
        )
    if not report.count("passed"):
        raise NotVerified(f"no test was run on {image.id}", f"read {reports / 'report.log'}")
    return report


@contextmanager
def trial(kitchen: Kitchen, image: Image, instance_type: str, wanted: Verify) -> Iterator[Trial]:
    """Fresh nodes of an image for the length of a block, with the bucket and the role they ask for."""
    cloud, run, place = kitchen.cloud, kitchen.run, kitchen.place
    key = SshKey.generate()
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        with kitchen.progress.phase(f"boot {NODES} fresh nodes of {image.id}"):
            bucket = stack.enter_context(temporary.bucket(cloud, run)) if wanted.bucket else ""
            policy = temporary.node_policy(bucket)
            inputs = {name: str(value).replace("{bucket}", bucket) for name, value in wanted.inputs}
            launch = Launch(
                image_id=image.id,
                instance_type=instance_type,
                subnet_id=place.subnet_id,
                tags=run.tags(),
                key_name=stack.enter_context(temporary.key_pair(cloud, run, key)),
                group_ids=(stack.enter_context(temporary.security_group(cloud, run, place, [22, 80])),),
                user_data=node_user_data(inputs),
                profile=stack.enter_context(temporary.instance_profile(cloud, run, policy)),
            )
            ids = stack.enter_context(launched(cloud, launch, NODES))
            nodes = wait_running(cloud, ids)
            fresh = Trial(nodes, image.login, key.write(folder / "key"), key, bucket, folder)
            logins = [Login(node.address, image.login, pkey=key.private) for node in nodes]
            with ThreadPoolExecutor(max_workers=NODES) as pool:
                list(pool.map(_wait_booted, logins))
        stack.callback(_hang_up, fresh)
        yield fresh


def suite_argv(trial: Trial, tests: Sequence[Path], junit: Path) -> list[str]:
    """The command that runs the image suite; by hand it works with `ssh://` and without our plugin too."""
    hosts = ",".join(f"{SCHEME}://{trial.login}@{node.address}" for node in trial.nodes)
    return [
        sys.executable, "-m", "pytest", *map(str, tests),
        "--override-ini=addopts=", "--override-ini=junit_family=xunit1", "-p", "no:cacheprovider",
        # Where Hypothesis is installed, its plugin costs a suite that does not use it two seconds.
        "-p", "no:hypothesispytest",
        "-p", "bake.pernode", f"--numprocesses={len(trial.nodes)}", "--dist=loadgroup",
        "-q", "-ra", "--color=no", "--tb=short",
        f"--hosts={hosts}", "--sudo", f"--ssh-config={trial.ssh_config}",
        f"--ssh-identity-file={trial.key_file}", f"--junitxml={junit}",
    ]  # fmt: skip


def suite_environment(trial: Trial) -> dict[str, str]:
    """What the suite may want to know; in the environment, a suite of one's own need not declare it."""
    return {"AMIBAKE_LAUNCH_KEY": f"{trial.key_file}.pub", "AMIBAKE_BUCKET": trial.bucket}


def run_suite(trial: Trial, tests: Sequence[Path], reports: Path) -> TestReport:
    """Run the image suite against the trial's nodes; its output and JUnit XML stay in `reports`."""
    Path(f"{trial.key_file}.pub").write_text(trial.key.public + "\n")
    junit = reports / "report.xml"
    junit.unlink(missing_ok=True)
    with (reports / "report.log").open("w") as log:
        subprocess.run(
            [*_dying_with_us(), *suite_argv(trial, tests, junit)],
            env={**os.environ, **suite_environment(trial)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_SUITE_SECONDS,
            check=False,
        )
    return read_junit(junit)


def _dying_with_us() -> list[str]:
    """What makes a program end when this one is killed; nothing where util-linux does not offer it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _wait_booted(login: Login) -> None:
    """Wait until a node's first boot is over, well or not: the suite tells which."""
    with wait_for_ssh(login, SSH_BUDGET_SECONDS) as machine:
        machine.run("cloud-init status --wait; systemctl is-system-running --wait", timeout_seconds=600)


def _hang_up(trial: Trial) -> None:
    """End the connections that ssh keeps open in the background."""
    for node in trial.nodes:
        target = f"{trial.login}@{node.address}"
        subprocess.run(
            ["ssh", "-F", str(trial.ssh_config), "-O", "exit", target], capture_output=True, check=False
        )
