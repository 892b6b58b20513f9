"""What one training is asked for, beside the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`feedback` and `synthetic`: sources of questions beside the dataset. `minutes`: the most that the
    training itself may take. `force`: the model is installed whatever the verdict."""

    out: Path
    feedback: Path | None = None
    synthetic: int = 0
    minutes: float | None = None
    force: bool = False
    indexes: Path = Path("runs/indexes")

    @property
    def work(self) -> Path:
        """Where a training keeps what it needs to go on after a kill."""
        return self.out.with_name(f"{self.out.name}.training")
