"""How an answer came to be: times, the way of each candidate, what a user should know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.calibration import Calibration
from rag.types import (
    CandidateTrace,
    GenerateTrace,
    Passage,
    ReadTrace,
    Reply,
    RerankTrace,
    SearchResult,
    Selection,
    Stage,
    Trace,
)


class Stopwatch:
    """Time since the last stage."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def stage(self, name: str, count: int) -> Stage:
        now = time.perf_counter()
        taken, self._last = now - self._last, now
        return Stage(name, round(taken * 1000, 3), count)


def trace_candidates(passages: Sequence[Passage], selection: Selection) -> tuple[CandidateTrace, ...]:
    reasons = {dropped.passage.chunk.id: dropped.reason for dropped in selection.dropped}
    return tuple(_row(passage, reasons.get(passage.chunk.id, "")) for passage in passages)


def with_reading(found: SearchResult, reading: ReadTrace, stage: Stage) -> SearchResult:
    """What the reader made of what was found: nothing is left where it sees no answer in it."""
    trace = replace(
        found.trace,
        stages=(*found.trace.stages, stage),
        read=reading,
        candidates=_refused(found.trace.candidates, reading) if reading.refuses else found.trace.candidates,
        notes=(*found.trace.notes, *_reading_notes(reading)),
    )
    return SearchResult(found.question, () if reading.refuses else found.passages, trace)


def with_reply(trace: Trace, generator: str, reply: Reply, stage: Stage) -> Trace:
    generated = GenerateTrace(
        generator, reply.written_by, reply.finish, reply.prompt_tokens, reply.completion_tokens
    )
    return replace(trace, stages=(*trace.stages, stage), generate=generated)


def rerank_notes(reranked: RerankTrace, used: Calibration) -> Iterator[str]:
    """`used` is the calibration by which relevance was told."""
    if not reranked.candidates:
        yield "the first stage found nothing: `rag status` shows what the index holds"
    if reranked.encoded:
        yield f"{reranked.encoded} passages were encoded on the spot: no such tokens are kept"
    if reranked.truncated:
        yield f"{reranked.truncated} passages were cut to the reranker's window"
    if used.warning:
        yield used.warning
    if not used.fitted_on:
        yield (
            f"relevance is not calibrated for {used.name}: a threshold of another reranker "
            "does not carry over"
        )


def _reading_notes(reading: ReadTrace) -> Iterator[str]:
    if reading.status == "skipped":
        yield f"the reader did not read: {reading.reason}"


def with_refusal(found: SearchResult, confidence: float) -> SearchResult:
    """Nothing of what was found is shown: it is too unlikely that it holds the answer."""
    if not found.passages:
        return found
    reason = f"the answer is too unlikely to be there: confidence {confidence:.3f}"
    trace = replace(found.trace, candidates=_dropped(found.trace.candidates, reason))
    return replace(found, passages=(), trace=trace)


def _refused(rows: Sequence[CandidateTrace], reading: ReadTrace) -> tuple[CandidateTrace, ...]:
    """All that selection had kept is dropped where the reader sees no answer in any of it."""
    reason = f"the reader sees no answer: {reading.found:.3f} is below the threshold {reading.threshold:.3f}"
    return _dropped(rows, reason)


def _dropped(rows: Sequence[CandidateTrace], reason: str) -> tuple[CandidateTrace, ...]:
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
        also=candidate.also,
    )
