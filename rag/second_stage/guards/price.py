"""What a call costs, by the config's price table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.protocols import Reranker
from rag.types import Candidate, Question, RerankerCard, Scores

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """In whatever currency the table is kept: of one billed unit, and of a million tokens."""

    unit: float = 0.0
    million_tokens: float = 0.0

    def of(self, units: float, tokens: int) -> float:
        return units * self.unit + tokens * self.million_tokens / _MILLION


class Priced:
    def __init__(self, inner: Reranker, price: Price) -> None:
        self._inner = inner
        self._price = price

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        scores = self._inner.score(question, candidates)
        return replace(scores, cost=self._price.of(scores.units, scores.tokens))
