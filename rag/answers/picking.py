"""Which units answer: how they match the question, what the question asks for, what a reader marked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.answers.asked import asked_for, holds
from rag.answers.units import Unit
from rag.answers.words import stems
from rag.calibration import log_odds, sigmoid
from rag.types import Floats, Ints, Passage

_LEAST_MARK = 1e-3

# Which unit of a question is likelier than its others, over the questions about seven manuals that the reader
# has not learned from (scripts/fit_picking.py). Those have few procedures: `steps` is set, not fitted.
WEIGHTS: Mapping[str, float] = {
    "bias": -6.26,
    "match": 3.9,
    "in_context": 3.37,
    "relevance": 1.18,
    "words": 2.0,
    "asked": 0.82,
    "length": -0.25,
    "steps": 1.5,
}
# The same where a reader has marked the words that answer.
MARKED: Mapping[str, float] = {
    "bias": -4.05,
    "match": 2.3,
    "in_context": 3.27,
    "relevance": 0.85,
    "words": 0.98,
    "asked": 0.74,
    "length": -0.22,
    "steps": 1.5,
    "marks": 0.21,
    "reading": 0.22,
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines of the question's tokens (rows) with a passage's, and where those stand in the document.
    `text` is where its own text begins: what is read before it are headings."""

    cosines: Floats
    starts: Ints
    ends: Ints
    text: int

    def of(self, unit: Unit) -> tuple[float, float]:
        """The mean of each question token's best match: in the unit, and with what stands around it."""
        inside = self._within(unit.start, unit.end)
        alone = self._best(inside)
        above = self.starts < self.text
        for start, end in unit.around:
            above |= self._within(start, end)
        return float(alone.mean()), float(self._best(inside | above).mean())

    def _within(self, start: int, end: int) -> Any:
        return (self.starts >= start) & (self.ends <= end)

    def _best(self, chosen: Any) -> Floats:
        best: Floats = self.cosines[:, chosen].max(axis=1, initial=0.0)
        return best


@dataclass(frozen=True, slots=True)
class Scored:
    unit: Unit
    score: float

    @property
    def likelihood(self) -> float:
        return sigmoid(self.score)


def score(
    question: str, found: Sequence[Unit], passages: Sequence[Passage], likeness: Sequence[Likeness]
) -> list[Scored]:
    """Best first. `likeness`: of the question's tokens to those of each passage, in their order."""
    rows = features(question, found, passages, likeness)
    scored = [Scored(unit, weigh(row)) for unit, row in zip(found, rows, strict=True)]
    return sorted(scored, key=lambda one: -one.score)


def weigh(row: Mapping[str, float]) -> float:
    weights = MARKED if "marks" in row else WEIGHTS
    return sum(weight * row[name] for name, weight in weights.items())


def features(
    question: str, found: Sequence[Unit], passages: Sequence[Passage], likeness: Sequence[Likeness]
) -> list[dict[str, float]]:
    best = max(passage.relevance for passage in passages) or 1.0
    around = [stems(f"{unit.core} {unit.context}") for unit in found]
    spread = Counter(word for words in around for word in words)
    wanted = {word: math.log(1 + len(found) / (1 + spread[word])) for word in stems(question)}
    kind = asked_for(question)
    likeliest = max((passage.read.logit for passage in passages if passage.read is not None), default=0.0)
    rows = []
    for unit, all_ in zip(found, around, strict=True):
        passage = passages[unit.passage - 1]
        match, in_context = likeness[unit.passage - 1].of(unit)
        row = {
            "bias": 1.0,
            "match": match,
            "in_context": in_context,
            "relevance": passage.relevance / best,
            "words": _covered(wanted, all_),
            "asked": float(kind is not None and holds(kind, unit.core, question)),
            "length": math.log(max(1, len(unit.core.split()))),
            "steps": float(unit.steps) * (1.0 if kind == "steps" else -1.0),
        }
        if passage.read is not None and len(passage.read.marks):
            row["marks"] = _marked(passage, unit)
            row["reading"] = passage.read.logit - likeliest
        rows.append(row)
    return rows


def _covered(wanted: Mapping[str, float], words: set[str]) -> float:
    whole = sum(wanted.values())
    return sum(weight for word, weight in wanted.items() if word in words) / whole if whole else 0.0


def _marked(passage: Passage, unit: Unit) -> float:
    """The log odds of the highest mark among the tokens of the unit's core."""
    reading, chunk = passage.read, passage.chunk
    if reading is None:
        return 0.0
    shift = len(chunk.reading) - len(chunk.text) - chunk.start  # from the document to what was read
    inside = (reading.starts >= unit.start + shift) & (reading.ends <= unit.end + shift)
    return log_odds(float(reading.marks[inside].max()) if inside.any() else 0.0, _LEAST_MARK)
