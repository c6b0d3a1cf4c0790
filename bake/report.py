"""What the image suite said, read from its JUnit XML."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # the file is written by our own pytest

from bake.errors import BakeError


@dataclass(frozen=True)
class Case:
    """One test on one host."""

    name: str
    outcome: str
    """`passed`, `failed` or `skipped`."""
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class TestReport:
    """Every test of a verification."""

    __test__ = False  # not a test itself, whatever pytest thinks of the name

    cases: tuple[Case, ...]
    boot_seconds: float | None = None

    def count(self, outcome: str) -> int:
        """How many tests ended so."""
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def failed(self) -> tuple[Case, ...]:
        """The tests that failed."""
        return tuple(case for case in self.cases if case.outcome == "failed")

    def write(self, path: Path) -> Path:
        """Keep the report as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")
        return path


def read_junit(path: Path) -> TestReport:
    """The report in a JUnit XML file. Raises BakeError when the suite wrote none."""
    try:
        root = ET.parse(path).getroot()  # noqa: S314 (ours, see above)
    except (FileNotFoundError, ET.ParseError) as why:
        raise BakeError(f"the image suite left no report: {why}", f"see {path.with_suffix('.log')}") from why
    cases = tuple(_case(element) for element in root.iter("testcase"))
    boots = [
        float(found.attrib["value"])
        for found in root.iter("property")
        if found.attrib["name"] == "boot_seconds"
    ]
    return TestReport(cases, max(boots) if boots else None)


def _case(element: ET.Element) -> Case:
    name = f"{element.attrib['classname'].rpartition('.')[2]}::{element.attrib['name']}"
    seconds = float(element.attrib.get("time", 0))
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = element.find(tag)
        if found is not None:
            return Case(name, outcome, seconds, found.attrib.get("message", ""))
    return Case(name, "passed", seconds)
