"""A reranker is held to its contract where its scores come in: one finite number a candidate."""

from __future__ import annotations

from collections.abc import Sequence

from rag.protocols import Reranker
from rag.second_stage.rank import check_scores
from rag.types import Candidate, Question, RerankerCard, Scores


class Checked:
    def __init__(self, inner: Reranker) -> None:
        self._inner = inner

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        scores = self._inner.score(question, candidates)
        check_scores(scores, self.card.kind, question, candidates)
        return scores
