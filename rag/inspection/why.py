"""Why is this document not in the answer? The stage at which its best passage left the race."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.api import Rag
from rag.errors import InputError
from rag.index.source_root import Anchor
from rag.types import CandidateTrace, Chunk


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


def why(rag: Rag, question: str, source: str) -> Absence:
    chunks = _chunks(rag, source)
    searched = rag.search(question)
    found = rag.pipeline.read(rag.pipeline.encode(question), searched)
    rows = [row for row in found.trace.candidates if row.source == chunks[0].source]
    texts = {chunk.id: chunk.text for chunk in chunks}
    if not rows:
        return _never_retrieved(rag, found.question, chunks)
    best = min(rows, key=lambda row: (not row.kept, row.rerank_rank))
    selected = {passage.chunk.id for passage in searched.passages}
    stage = "kept" if best.kept else "read" if best.id in selected else "select"
    reason = best.reason or f"it is passage number {best.rerank_rank} of the ranking and reaches the prompt"
    return Absence(found.question, best.source, stage, reason, _excerpt(texts[best.id]), best)


def _chunks(rag: Rag, source: str) -> list[Chunk]:
    catalog = rag.assembly.index.catalog
    anchored = Anchor.of(rag.assembly.index.folder, catalog).source(Path(source))
    chunks = catalog.chunks_of(source) or catalog.chunks_of(anchored)
    if not chunks:
        raise InputError(f"{source!r} is not in the index: `rag status --sources` lists what is")
    return chunks


def _never_retrieved(rag: Rag, question: str, chunks: Sequence[Chunk]) -> Absence:
    """Its best cosine and BM25, against the weakest candidates'."""
    encoded = rag.pipeline.encode(question)
    candidates = rag.pipeline.retrieve(encoded)
    texts = {chunk.id: chunk.text for chunk in chunks}
    vectors = rag.assembly.index.catalog.vectors(list(texts))
    assert encoded.vectors is not None  # encode always sets them
    cosines = {id_: float(vector @ encoded.vectors.vector) for id_, vector in vectors.items()}
    bm25 = rag.assembly.index.current().lexical.score(encoded.text, list(texts))
    nearest = max(texts, key=lambda id_: (cosines[id_], bm25[id_]))
    dense = [c.evidence.cosine for c in candidates if c.dense_rank and c.evidence.cosine is not None]
    lexical = [c.evidence.bm25 for c in candidates if c.lexical_rank and c.evidence.bm25 is not None]
    reason = (
        f"none of its {len(chunks)} passages is among the {len(candidates)} candidates; "
        f"its best cosine is {cosines[nearest]:.3f}{_weakest(dense)}, "
        f"its best BM25 {max(bm25.values()):.3f}{_weakest(lexical)}; retriever.top_n widens the first stage"
    )
    return Absence(question, chunks[0].source, "retrieve", reason, _excerpt(texts[nearest]))


def _weakest(found: Sequence[float]) -> str:
    return f" (the weakest candidate found that way has {min(found):.3f})" if found else ""


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"
