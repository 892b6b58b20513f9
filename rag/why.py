"""Why is this document not in the answer? The stage at which its best passage left the race."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag.anchor import Anchor
from rag.api import Rag
from rag.errors import InputError
from rag.types import Chunk, LedgerRow


@dataclass(frozen=True, slots=True)
class Verdict:
    """stage: retrieve (never a candidate), select (dropped, with the reason), or kept."""

    question: str
    source: str
    stage: str
    reason: str
    excerpt: str = ""
    row: LedgerRow | None = None


def why(rag: Rag, question: str, source: str) -> Verdict:
    chunks = _chunks(rag, source)
    rows = [row for row in rag.search(question).trace.ledger if row.source == chunks[0].source]
    texts = {chunk.id: chunk.text for chunk in chunks}
    if not rows:
        return _never_retrieved(rag, question, chunks)
    best = min(rows, key=lambda row: row.rerank_rank)
    stage = "kept" if best.kept else "select"
    reason = best.reason or f"it is passage number {best.rerank_rank} of the ranking and reaches the prompt"
    return Verdict(question, best.source, stage, reason, _excerpt(texts[best.id]), best)


def _chunks(rag: Rag, source: str) -> list[Chunk]:
    catalog = rag.parts.index.catalog
    anchored = Anchor.of(rag.parts.index.folder, catalog).source(Path(source))
    chunks = catalog.chunks_of(source) or catalog.chunks_of(anchored)
    if not chunks:
        raise InputError(f"{source!r} is not in the index: `rag status --sources` lists what is")
    return chunks


def _never_retrieved(rag: Rag, question: str, chunks: list[Chunk]) -> Verdict:
    """Its best cosine and BM25, against what it would have taken."""
    pipeline = rag.pipeline
    encoded = pipeline.encode(question)
    ids = [chunk.id for chunk in chunks]
    catalog, generation = rag.parts.index.catalog, rag.parts.index.current()
    vectors = catalog.vectors(ids)
    assert encoded.vectors is not None  # encode always sets them
    cosines = {id_: float(vector @ encoded.vectors.vector) for id_, vector in vectors.items()}
    bm25 = generation.lexical.score(encoded.text, ids)
    nearest = max(ids, key=lambda id_: (cosines[id_], bm25[id_]))
    candidates = pipeline.retrieve(encoded)
    least = min((c.evidence.cosine for c in candidates if c.evidence.cosine is not None), default=0.0)
    reason = (
        f"none of its {len(chunks)} passages is among the first {len(candidates)} candidates: its best has "
        f"cosine {cosines[nearest]:.3f} (the candidates' least is {least:.3f}) and BM25 {max(bm25.values()):.2f}; "
        "retriever.top_n widens the first stage"
    )
    text = next(chunk.text for chunk in chunks if chunk.id == nearest)
    return Verdict(question, chunks[0].source, "retrieve", reason, _excerpt(text))


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"
