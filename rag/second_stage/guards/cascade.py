"""A quick reranker reads all and passes its best on to a better one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.protocols import Reranker
from rag.second_stage.guards.layers import Layer, layered
from rag.types import NOBODY, Candidate, Question, RerankerCard, Scores


class Cascade:
    """What `first` does not pass on keeps its score, below all that `then` has read."""

    def __init__(self, first: Reranker, keep: int, then: Reranker) -> None:
        self._first = first
        self._keep = keep
        self._then = then

    @property
    def card(self) -> RerankerCard:
        return self._then.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        if len(candidates) <= self._keep:
            return self._then.score(question, candidates)
        everyone = range(len(candidates))
        first = self._first.score(question, candidates)
        best = sorted(_best(first, candidates)[: self._keep])
        then = self._then.score(question, [candidates[i] for i in best])
        layers = [Layer(self._then.card, best, then), Layer(self._first.card, everyone, first)]
        late = next((scores for scores in (then, first) if scores.status != "ok"), None)
        scores = layered(layers, candidates)
        return replace(scores, status=late.status, reason=late.reason) if late else scores


def _best(scores: Scores, candidates: Sequence[Candidate]) -> list[int]:
    """By raw score: one reranker's are comparable; what nobody has read comes last."""
    unread = [bool(scores.scorers) and scores.scorers[scorer] == NOBODY for scorer in scores.by]
    unread = unread or [not scores.ranks] * len(candidates)
    return sorted(
        range(len(candidates)),
        key=lambda i: (unread[i], 0.0 if unread[i] else -scores.values[i], candidates[i].rank),
    )
