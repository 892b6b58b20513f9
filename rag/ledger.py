"""The way of every candidate through the stages, as rows to show."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import LedgerRow, Passage, Selection


def ledger(passages: Sequence[Passage], selection: Selection) -> tuple[LedgerRow, ...]:
    reasons = {dropped.passage.chunk.id: dropped.reason for dropped in selection.dropped}
    return tuple(_row(passage, reasons.get(passage.chunk.id, "")) for passage in passages)


def _row(passage: Passage, reason: str) -> LedgerRow:
    candidate = passage.candidate
    return LedgerRow(
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
        scored_by=passage.reader.kind if passage.reader else "",
    )
