"""The second stage: a reranker's raw scores become relevance, and the ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rag.calibration import Calibration
from rag.protocols import Reranker
from rag.second_stage.fitted import without_evidence
from rag.types import NOBODY, Candidate, Chunk, Passage, Question, RerankerCard, RerankTrace, Scores

Calibrations = Mapping[RerankerCard, Calibration]
_NO_OTHERS: Calibrations = MappingProxyType({})


def rerank(
    reranker: Reranker,
    calibration: Calibration,
    question: Question,
    candidates: Sequence[Candidate],
    others: Calibrations = _NO_OTHERS,
) -> tuple[list[Passage], RerankTrace]:
    """Passages best first. No candidates, no call: hosted rerankers answer an empty list with an error.

    `others` are the calibrations of rerankers that may have stood in for the one that was asked.
    """
    card = reranker.card
    if not candidates:
        return [], RerankTrace(card.kind, card.model, "skipped", "no candidates", calibration.name)
    scores = reranker.score(question, candidates)
    scorers = scores.scorers or (card,)
    scales = [others.get(scorer, calibration) for scorer in scorers]
    by = scores.by or (0,) * len(candidates)
    first = scorers[min(by)]
    trace = RerankTrace(
        kind=first.kind,
        model=first.model,
        status=scores.status,
        reason=scores.reason,
        calibration=scales[min(by)].name,
        truncated=scores.truncated,
        encoded=scores.encoded,
        units=scores.units,
        tokens=scores.tokens,
        cost=scores.cost,
        cached=scores.cached,
        candidates=len(candidates),
        scored=sum(scorers[scorer] != NOBODY for scorer in by),
    )
    return _ranked(scores, scorers, by, scales, candidates), trace


def rerank_texts(
    reranker: Reranker, question: Question, texts: Sequence[str]
) -> tuple[list[Passage], RerankTrace]:
    """Of raw texts, by the scores alone. A chunk's ordinal is its text's place in the list."""
    chunks = [
        Chunk(f"text-{at}", "", "", at, text, 0, len(text), reading=text) for at, text in enumerate(texts)
    ]
    candidates = [Candidate(chunk, rank, 0.0) for rank, chunk in enumerate(chunks, start=1)]
    return rerank(reranker, without_evidence(reranker.card), question, candidates)


def _ranked(
    scores: Scores,
    scorers: Sequence[RerankerCard],
    by: Sequence[int],
    scales: Sequence[Calibration],
    candidates: Sequence[Candidate],
) -> list[Passage]:
    values = [float(value) for value in scores.values]  # numpy's numbers would break the JSON
    logits = [
        scales[scorer].logit(value, candidate.evidence)
        for scorer, value, candidate in zip(by, values, candidates, strict=True)
    ]
    ranks = [scores.ranks and scorers[scorer] != NOBODY for scorer in by]
    order = list(range(len(candidates)))
    if scores.ranks:
        order.sort(key=lambda i: (by[i], -logits[i] if ranks[i] else 0.0, candidates[i].rank))
    return [
        Passage(candidates[i], values[i], logits[i], scales[by[i]].relevance(logits[i]), rank, scorers[by[i]])
        for rank, i in enumerate(order, start=1)
    ]
