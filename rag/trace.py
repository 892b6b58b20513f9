"""The way of every candidate through the stages, as rows to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.types import CandidateTrace, Passage, ReadTrace, Selection


def trace_candidates(passages: Sequence[Passage], selection: Selection) -> tuple[CandidateTrace, ...]:
    reasons = {dropped.passage.chunk.id: dropped.reason for dropped in selection.dropped}
    return tuple(_row(passage, reasons.get(passage.chunk.id, "")) for passage in passages)


def refused(rows: Sequence[CandidateTrace], read: ReadTrace) -> tuple[CandidateTrace, ...]:
    """All that selection had kept is dropped: the reader sees no answer in any of it."""
    reason = f"the reader sees no answer: {read.found:.3f} is below the threshold {read.threshold:.3f}"
    return tuple(replace(row, kept=False, reason=reason) if row.kept else row for row in rows)


def _row(passage: Passage, reason: str) -> CandidateTrace:
    candidate = passage.candidate
    return CandidateTrace(
        id=passage.chunk.id,
        source=passage.chunk.source,
        dense_rank=candidate.dense_rank,
        lexical_rank=candidate.lexical_rank,
        fused_rank=candidate.rank,
        rerank_rank=passage.rank,
        score=passage.score,
        relevance=passage.relevance,
        moved=candidate.rank - passage.rank,
        kept=not reason,
        reason=reason,
        scored_by=passage.scorer.kind if passage.scorer else "",
    )
