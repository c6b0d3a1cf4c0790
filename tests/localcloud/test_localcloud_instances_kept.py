"""What a daemon finds of an earlier one's machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.instances import Instances
from localcloud.machine import Plot
from localcloud.site import Site


def test_a_machine_that_no_record_tells_of_is_forgotten_aloud(tmp_path: Path) -> None:
    notices: list[str] = []
    nothing: Any = None
    instances = Instances(Site(home=tmp_path), nothing, lambda _: (), notices.append)
    for name in ("i-lost", "i-ended"):
        Plot(instances.folder / name).prepare()
    Plot(instances.folder / "i-lost").keep_layers((tmp_path / "layer",))
    instances.restore([])
    assert list(instances.folder.iterdir()) == []
    assert notices == ["i-lost was launched as the local cloud was killed, and is forgotten"]
