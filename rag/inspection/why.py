"""Why is this document not in the answer? The stage at which its best passage left the race."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.answers.excerpt import excerpt
from rag.assembly import Assembly
from rag.errors import InputError
from rag.index.index import Index
from rag.index.source_root import SourceRoot
from rag.types import Candidate, CandidateTrace, Chunk, Question

_LISTED = 10
_WIDTH = 200


@dataclass(frozen=True, slots=True)
class Absence:
    """stage: retrieve (never a candidate), select (dropped, with the reason), read (the reader sees no
    answer in what was selected), or kept."""

    question: str
    source: str
    stage: str
    reason: str
    excerpt: str = ""
    row: CandidateTrace | None = None


def explain_absence(parts: Assembly, text: str, source: str) -> Absence:
    chunks = _chunks(parts.existing_index(), source)
    question = parts.pipeline.encode(text)
    searched = parts.pipeline.find(question)
    found = parts.pipeline.read(searched)
    rows = [row for row in found.trace.candidates if row.source == chunks[0].source]
    by_id = {chunk.id: chunk for chunk in chunks}
    if not rows:
        return _never_retrieved(parts.index, question, parts.pipeline.retrieve(question), chunks)
    best = min(rows, key=lambda row: (not row.kept, row.rerank_rank))
    selected = {passage.chunk.id for passage in searched.passages}
    stage = "kept" if best.kept else "read" if best.id in selected else "select"
    reason = best.reason or f"it is passage number {best.rerank_rank} of the ranking and reaches the prompt"
    return Absence(
        found.question, best.source, stage, reason, excerpt(text, by_id[best.id], _WIDTH).text, best
    )


def _chunks(index: Index, source: str) -> list[Chunk]:
    anchored = SourceRoot.of(index.folder, index.catalog).source(Path(source))
    chunks = index.catalog.chunks_of(source) or index.catalog.chunks_of(anchored)
    return chunks or index.catalog.chunks_of(_by_its_end(index, source))


def _by_its_end(index: Index, name: str) -> str:
    """`reset.html` means `manual/reset.html` where no other document ends so."""
    end = f"/{name.lstrip('./')}"
    found = [source for source, _ in index.catalog.sources() if name and f"/{source}".endswith(end)]
    if not found:
        raise InputError(f"{name!r} is not in the index: `rag status --sources` lists what is")
    if len(found) > 1:
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise InputError(f"{name!r} may be {', '.join(found[:_LISTED])}{more}: name one of them")
    return found[0]


def _never_retrieved(
    index: Index, question: Question, candidates: Sequence[Candidate], chunks: Sequence[Chunk]
) -> Absence:
    """Its best cosine and BM25, against the weakest candidates'."""
    by_id = {chunk.id: chunk for chunk in chunks}
    vectors = index.catalog.vectors(list(by_id))
    assert question.vectors is not None  # encode always sets them
    cosines = {id_: float(vector @ question.vectors.vector) for id_, vector in vectors.items()}
    bm25 = index.current().lexical.score(question.text, list(by_id))
    nearest = max(by_id, key=lambda id_: (cosines[id_], bm25[id_]))
    dense = [c.evidence.cosine for c in candidates if c.dense_rank and c.evidence.cosine is not None]
    lexical = [c.evidence.bm25 for c in candidates if c.lexical_rank and c.evidence.bm25 is not None]
    reason = (
        f"none of its {len(chunks)} passages is among the {len(candidates)} candidates; "
        f"its best cosine is {cosines[nearest]:.3f}{_weakest(dense)}, "
        f"its best BM25 {max(bm25.values()):.3f}{_weakest(lexical)}; retriever.top_n widens the first stage"
    )
    return Absence(
        question.text,
        chunks[0].source,
        "retrieve",
        reason,
        excerpt(question.text, by_id[nearest], _WIDTH).text,
    )


def _weakest(found: Sequence[float]) -> str:
    return f" (the weakest candidate found that way has {min(found):.3f})" if found else ""
