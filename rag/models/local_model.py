"""A model of this machine, as settings ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.models.bi_encoder import choose_for_sentences
from rag.models.choice import Choice, Precision, Runtime
from rag.models.cross_encoder import choose_for_pairs
from rag.models.reading import choose_for_reading

Reads = Literal["sentences", "pairs", "tokens", "marks"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """reads: vectors of single texts, pairs of them, token vectors by a MultiVectorEncoder, or marks in
    the second of a pair."""

    name: str
    revision: str | None = None
    reads: Reads = "sentences"
    runtime: Runtime = "auto"
    precision: Precision = "auto"
    device: str | None = None
    trusted: bool = False

    def choice(self, folder: Path) -> Choice:
        """What runs it; told by its files alone."""
        if self.reads == "tokens":
            return Choice("torch", "fp32")
        if self.reads == "marks":
            return choose_for_reading(self.precision)
        choose = choose_for_pairs if self.reads == "pairs" else choose_for_sentences
        return choose(folder, self.runtime, self.precision, self.device)
