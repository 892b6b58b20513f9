"""The second stage: a reranker's raw scores become relevance, and the ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag.calibration import Calibration
from rag.errors import ModelError
from rag.protocols import Reranker
from rag.types import Candidate, Passage, Question, RerankTrace, Scores


def rerank(
    reranker: Reranker, calibration: Calibration, question: Question, candidates: Sequence[Candidate]
) -> tuple[list[Passage], RerankTrace]:
    """Passages best first. No candidates, no call: hosted rerankers answer an empty list with an error."""
    card = reranker.card
    if not candidates:
        return [], RerankTrace(card.kind, card.model, "skipped", "no candidates", calibration.name)
    scores = reranker.score(question, candidates)
    _check(scores, card.kind, question, candidates)
    trace = RerankTrace(
        kind=card.kind,
        model=card.model,
        calibration=calibration.name,
        truncated=scores.truncated,
        encoded=scores.encoded,
        units=scores.units,
    )
    return _ranked(scores, calibration, candidates), trace


def _ranked(scores: Scores, calibration: Calibration, candidates: Sequence[Candidate]) -> list[Passage]:
    values = [float(value) for value in scores.values]  # numpy's numbers would break the JSON
    logits = [calibration.logit(v, c.evidence) for v, c in zip(values, candidates, strict=True)]
    order = list(range(len(candidates)))
    if scores.ranks:
        order.sort(key=lambda i: (-logits[i], candidates[i].rank))
    return [
        Passage(candidates[i], values[i], logits[i], calibration.relevance(logits[i]), rank)
        for rank, i in enumerate(order, start=1)
    ]


def _check(scores: Scores, kind: str, question: Question, candidates: Sequence[Candidate]) -> None:
    if len(scores.values) != len(candidates):
        raise ModelError(f"reranker {kind} gave {len(scores.values)} scores for {len(candidates)} passages")
    for value, candidate in zip(scores.values, candidates, strict=True):
        if not math.isfinite(value):
            chunk = candidate.chunk
            raise ModelError(
                f"reranker {kind} scored {value} for the question {question.text[:80]!r} and the passage "
                f"{chunk.source}:{chunk.start}-{chunk.end}"
            )
