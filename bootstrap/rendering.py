"""The node's configuration files, made of the image's templates and the node's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bootstrap import settings as settings_file
from bootstrap.act import Act
from bootstrap.errors import ApiError, BootstrapError, TemplateError
from bootstrap.managed_file import ManagedFile
from bootstrap.secrets import Vault
from bootstrap.settings import Render, Settings
from bootstrap.template import fill
from bootstrap.values import values

SETTINGS = "/etc/amibake/bootstrap.toml"


def configure(act: Act) -> None:
    """Render every file that is not as it should be.

    Raises InputsError, SecretError, TemplateError or FileError; ApiError for a bucket that cannot be used.
    """
    settings = settings_file.load(Path(act.text("BOOTSTRAP_SETTINGS", SETTINGS)))
    found = values(settings.script(), act.given, act.environment, Vault(lambda: act.api))
    for wanted in [rendered(each, found) for each in settings.render]:
        act.file(wanted)
    check_bucket(act, found)


def rendered(render: Render, found: Mapping[str, str | None]) -> ManagedFile:
    """Return the file a template makes of these values. Raises TemplateError."""
    try:
        content = fill(render.template.read_text(encoding="utf-8"), found)
    except (OSError, ValueError) as why:
        raise TemplateError(f"{render.template}: {why}", hint="is it shipped by the image's spec?") from why
    except TemplateError as why:
        raise TemplateError(f"{render.template}: {why}", hint=why.hint) from why
    return ManagedFile(render.target, content, render.mode, render.owner, render.group)


def newest(settings: Settings) -> float | None:
    """Return when the last of the rendered files was written, as Unix time; None when there is none."""
    times = [each.target.stat().st_mtime for each in settings.render if each.target.exists()]
    return max(times, default=None)


def check_bucket(act: Act, found: Mapping[str, str | None]) -> None:
    """See that the bucket in the inputs can be listed, where there is one. Raises ApiError that says why not.

    An S3 that does not answer strands no node: what is on the disk can be served.
    """
    bucket = found.get("BUCKET")
    if not bucket or not act.instance_id:
        return
    try:
        region = found.get("AWS_REGION") or act.api.region
        replace(act.api, region=region).list_bucket(bucket, found.get("PREFIX") or "")
    except ApiError as why:
        raise _about_bucket(bucket, why) from why
    except BootstrapError as why:
        act.say(f"bucket {bucket}: not looked at: {why}")


def _about_bucket(bucket: str, why: ApiError) -> ApiError:
    told = {
        "NoSuchBucket": (f"the bucket {bucket} does not exist", "correct the input BUCKET, or create it"),
        "PermanentRedirect": (f"the bucket {bucket} is in another region", "see the input AWS_REGION"),
        "AccessDenied": (
            f"the bucket {bucket} may not be listed",
            "let the instance's role s3:ListBucket it",
        ),
    }
    what, hint = told.get(why.code, (f"the bucket {bucket} cannot be listed: {why}", why.hint))
    return ApiError(what, hint, why.code)
