"""No reranking where it cannot change much: few candidates, or a first stage that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.protocols import Reranker
from rag.second_stage.guards.layers import unread
from rag.types import Candidate, Question, RerankerCard, Scores


class Skip:
    """few: so many candidates or fewer. margin: by how much the first one's cosine leads all others'."""

    def __init__(self, inner: Reranker, few: int | None, margin: float | None) -> None:
        self._inner = inner
        self._few = few
        self._margin = margin

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        reason = self._reason(candidates)
        if not reason:
            return self._inner.score(question, candidates)
        return replace(unread(candidates), status="skipped", reason=reason)

    def _reason(self, candidates: Sequence[Candidate]) -> str:
        if self._few is not None and len(candidates) <= self._few:
            return f"{len(candidates)} candidates, and skip_when.candidates is {self._few}"
        lead = _lead(candidates)
        if self._margin is not None and lead is not None and lead >= self._margin:
            return (
                f"the first candidate's cosine leads by {lead:.3f}, and skip_when.margin is {self._margin:g}"
            )
        return ""


def _lead(candidates: Sequence[Candidate]) -> float | None:
    cosines = [candidate.evidence.cosine for candidate in candidates]
    known = [cosine for cosine in cosines if cosine is not None]
    if len(known) < 2 or len(known) < len(cosines):
        return None
    return known[0] - max(known[1:])
