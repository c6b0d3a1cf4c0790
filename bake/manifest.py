"""An image's manifest: how it was made, out of what, as plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bake.errors import BakeError
from bake.image import CANDIDATE

if TYPE_CHECKING:
    from bake.converge import Report
    from bake.fingerprint import Fingerprint
    from bake.image import Image
    from bake.machine import Machine
    from bake.spec import Spec

_QUERY = "dpkg-query --show --showformat='${db:Status-Abbrev} ${Package} ${Version}\\n'"


def packages(machine: Machine) -> dict[str, str]:
    """Every installed Debian package and its version. Raises BakeError when dpkg does not answer."""
    answer = machine.run(_QUERY, timeout_seconds=60)
    if not answer.ok:
        raise BakeError(f"the list of packages could not be read: {answer.output[-400:]}")
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {name: version for status, name, version in rows if status == "ii"}


def manifest(
    spec: Spec,
    base: Image,
    image_id: str,
    made_of: Fingerprint,
    report: Report,
    installed: dict[str, str],
    files: dict[str, str],
) -> dict[str, Any]:
    """The manifest of a freshly bundled image; timings and the test report are added once there are some.

    `files` are those of this layer and of the layers beneath that this desk knows of.
    """
    return {
        "image_id": image_id,
        "name": spec.name,
        "spec": spec.path.name,
        "description": spec.description,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "state": CANDIDATE,
        "architecture": spec.architecture,
        "base": {"image_id": base.id, "name": base.name},
        "fingerprint": made_of.digest,
        "settings": {
            "instance_type": spec.instance_type,
            "root_volume_gib": spec.root_volume_gib,
            **{f"vars.{name}": value for name, value in spec.variables},
        },
        "inputs": dict(made_of.inputs),
        "steps": [
            {"step": outcome.step, "changed": outcome.changed, "seconds": round(outcome.seconds, 2)}
            for outcome in report.outcomes
        ],
        "packages": installed,
        "files": files,
    }
