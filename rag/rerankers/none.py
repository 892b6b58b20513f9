"""No reranking: the first stage's order stands, and relevance comes from its evidence alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from rag.parts import Parts
from rag.rerankers.base import RerankerSettings
from rag.types import Candidate, Question, RerankerCard, Scores


class NoneSettings(RerankerSettings, frozen=True):
    reads: ClassVar[bool] = False

    kind: Literal["none"]

    def build(self, parts: Parts) -> FirstStageOrder:
        return FirstStageOrder()


class FirstStageOrder:
    card = RerankerCard("none")

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        return Scores(tuple(candidate.fused for candidate in candidates), ranks=False)
