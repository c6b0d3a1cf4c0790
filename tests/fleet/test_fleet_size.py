from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import BadSize
from fleet.size import Costs, Load, Nodes, costs, size

COSTS = Costs(hit_cpu_ms=0.1, s3_cpu_ms=3, render_cpu_ms=30, source="a test")


def test_the_nodes_follow_from_cpu_time_and_cores() -> None:
    found = size(
        Load(rps=1000, hit_ratio=0.96), COSTS, Nodes(cores=2, utilisation=0.5, zones=1, lost_zones=0)
    )
    assert found.cpu_ms_per_request == pytest.approx(0.96 * 0.1 + 0.04 * 30)
    assert found.busy_cores == pytest.approx(1.296)
    assert (found.needed, found.with_spare) == (2, 2)


def test_what_lies_in_s3_is_not_rendered() -> None:
    load = Load(rps=100, hit_ratio=0.9, s3_ratio=0.1)
    assert size(load, COSTS, Nodes(cores=1)).cpu_ms_per_request == pytest.approx(0.09 + 0.3)


@pytest.mark.parametrize(
    ("zones", "lost", "nodes"), [(1, 0, 5), (2, 0, 6), (2, 1, 10), (3, 1, 9), (3, 2, 15)]
)
def test_the_zones_that_are_left_carry_the_load(zones: int, lost: int, nodes: int) -> None:
    load = Load(rps=1000, hit_ratio=0.0)
    found = size(load, COSTS, Nodes(cores=8, utilisation=0.75, zones=zones, lost_zones=lost))
    assert (found.needed, found.with_spare) == (5, nodes)


def test_rendering_is_most_of_the_work_even_where_nearly_all_is_there_already() -> None:
    found = size(Load(rps=1, hit_ratio=0.96), COSTS, Nodes(cores=1))
    assert found.document()["render_share_of_cpu"] == pytest.approx(0.926, abs=0.001)
    assert "= 96.0% x 0.1 ms + 0.0% x 3 ms + 4.0% x 30 ms" in str(found.__rich__())


@pytest.mark.parametrize(
    ("load", "nodes", "what"),
    [
        (Load(0, 0.96), Nodes(2), "0 requests per second"),
        (Load(1, 1.2), Nodes(2), "a hit ratio of 1.2"),
        (Load(1, 0.96, 0.1), Nodes(2), "an S3 ratio of 0.1"),
        (Load(1, 0.96), Nodes(0), "a node of 0 cores"),
        (Load(1, 0.96), Nodes(2, utilisation=0), "a utilisation of 0"),
        (Load(1, 0.96), Nodes(2, zones=2, lost_zones=2), "2 lost of 2 zones"),
    ],
)
def test_what_cannot_be_is_said(load: Load, nodes: Nodes, what: str) -> None:
    with pytest.raises(BadSize, match=what):
        size(load, COSTS, nodes)


def test_the_costs_on_file_are_of_the_order_that_was_measured() -> None:
    shipped = costs()
    assert 0 < shipped.hit_cpu_ms < shipped.s3_cpu_ms < shipped.render_cpu_ms


def test_costs_that_lack_a_figure_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "costs.toml"
    file.write_text("hit_cpu_ms = 1\n")
    with pytest.raises(BadSize, match=str(file)):
        costs(file)
