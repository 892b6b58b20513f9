"""A reranker is held to its contract where its scores come in: one finite number a candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag.errors import ModelError
from rag.protocols import Reranker
from rag.types import Candidate, Question, RerankerCard, Scores


class Checked:
    def __init__(self, inner: Reranker) -> None:
        self._inner = inner

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        scores = self._inner.score(question, candidates)
        _check(scores, self.card.kind, question, candidates)
        return scores


def _check(scores: Scores, kind: str, question: Question, candidates: Sequence[Candidate]) -> None:
    """One finite number a candidate."""
    if len(scores.values) != len(candidates):
        raise ModelError(f"reranker {kind} gave {len(scores.values)} scores for {len(candidates)} passages")
    for value, candidate in zip(scores.values, candidates, strict=True):
        if not math.isfinite(value):
            chunk = candidate.chunk
            raise ModelError(
                f"reranker {kind} scored {value} for the question {question.text[:80]!r} and the passage "
                f"{chunk.source}:{chunk.start}-{chunk.end}"
            )
