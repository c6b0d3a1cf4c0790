"""What a node counts is told in Prometheus' text, for all its processes together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resizer import metrics

ROOT = Path(__file__).parents[2]
WORKER = """
from resizer import metrics
metrics.ANSWERS.labels("s3").inc(3)
metrics.BUSY.inc()
metrics.SLOTS.set(4)
metrics.STAGES.labels("decode").observe(0.02)
"""
ASKER = "import sys; from resizer import metrics; sys.stdout.buffer.write(metrics.text())"


def samples(text: bytes) -> dict[str, float]:
    return {
        each.name + "".join(f"/{value}" for value in each.labels.values()): each.value
        for family in text_string_to_metric_families(text.decode())
        for each in family.samples
    }


def test_what_is_counted_is_told() -> None:
    before = samples(metrics.text())
    metrics.ERRORS.labels("busy").inc()
    metrics.BYTES_OUT.inc(1000)
    after = samples(metrics.text())
    assert after["resizer_errors_total/busy"] == before.get("resizer_errors_total/busy", 0) + 1
    assert after["resizer_result_bytes_total"] == before["resizer_result_bytes_total"] + 1000
    assert all(name.startswith("resizer_") for name in after)


@pytest.mark.machines
def test_processes_count_together_and_the_dead_hold_nothing(tmp_path: Path) -> None:
    environment = os.environ | {metrics.DIRECTORY: str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WORKER], env=environment, check=True)
    told = samples(
        subprocess.run([sys.executable, "-c", ASKER], env=environment, check=True, capture_output=True).stdout
    )
    assert told["resizer_answers_total/s3"] == 6
    assert told["resizer_stage_seconds_count/decode"] == 2
    assert told["resizer_slots"] == 4
    assert told.get("resizer_slots_busy", 0) == 0
