"""What is found in boot scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Weight = Literal["error", "hint"]


@dataclass(frozen=True)
class Finding:
    """Something in a script or a run list: an error keeps it from working, a hint is worth a thought."""

    script: str
    line: int
    """0 where it concerns the whole file."""
    weight: Weight
    what: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
