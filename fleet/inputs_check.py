"""Inputs and credentials, checked before anything is created: all that is missing, in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

import bootstrap
from bootstrap import header, inputs, settings
from bootstrap.errors import BootstrapError
from bootstrap.header import Script
from fleet.errors import DeploymentError
from fleet.wanted import credentials

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.server_template import ServerTemplate
    from fleet.wanted import Wanted

SHIPPED = Path(bootstrap.__file__).parent / "scripts"


def check(cloud: Cloud, wanted: Wanted) -> None:
    """Raise DeploymentError once, naming every input that is missing or malformed, and every credential."""
    problems = [problem for kind in wanted.kinds for problem in faults(kind.template, dict(kind.inputs))]
    problems += [
        f"{kind.name}: there is no credential {name} in Secrets Manager or (`cred:/…`) the parameter store"
        for kind in wanted.kinds
        for name in sorted(credentials(dict(kind.inputs)))
        if not _there(cloud, name)
    ]
    if problems:
        raise DeploymentError(
            f"{wanted.deployment.path}: {'; '.join(problems)}",
            "nothing was created; mend [inputs] and try again",
        )


def faults(template: ServerTemplate, given: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a template's inputs, for the scripts of its run lists. Never tells a value."""
    for missing in inputs.missing(scripts_of(template), given):
        yield f"{template.name}: {missing}"


def scripts_of(template: ServerTemplate) -> list[Script]:
    """The scripts that a template's nodes run at boot, and the settings of their image.

    Raises DeploymentError where a run list names what is not there.
    """
    try:
        image = settings.load(template.settings) if template.settings else None
        named = dict(template.run_lists).get("boot")
        # What the image's own list names may lie on the image alone; then it cannot be checked from here.
        listed, folder = image.run_lists.boot if image else (), folder_of(template)
        of_image = [one for one in listed if (folder / one).is_file()]
        found = [_script(one, template) for one in (of_image if named is None else named)]
    except BootstrapError as why:
        raise DeploymentError(f"{template.name}: {why}", why.hint) from why
    return [*([image.script()] if image else []), *found]


def folder_of(template: ServerTemplate) -> Path:
    """Where the scripts of a template's run lists lie here."""
    return template.scripts or SHIPPED


def _script(name: str, template: ServerTemplate) -> Script:
    folder = folder_of(template)
    try:
        text = (folder / name).read_text()
    except OSError as why:
        raise DeploymentError(
            f"{template.name}: the run list names {name}, which is not in {folder}",
            "`scripts` in the server template names another folder",
        ) from why
    return header.parse(text, name)


def _there(cloud: Cloud, name: str) -> bool:
    """Whether a credential can be found where the node will look for it."""
    try:
        if name.startswith(("/", "ssm:")):
            cloud.ssm.get_parameter(Name=name.removeprefix("ssm:"))
        else:
            cloud.session.client("secretsmanager").describe_secret(SecretId=name.partition("#")[0])
    except ClientError:
        return False
    return True
