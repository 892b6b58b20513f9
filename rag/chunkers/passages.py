"""What every chunker ends with: spans of a document become chunks with ids, pages and headings."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

from rag.types import Chunk, Document


def make_chunk(
    document: Document, ordinal: int, start: int, end: int, headings: Sequence[str], reading: str
) -> Chunk:
    return Chunk(
        id=_chunk_id(document.id, ordinal, start, reading),
        document_id=document.id,
        source=document.source,
        ordinal=ordinal,
        text=document.text[start:end],
        start=start,
        end=end,
        headings=tuple(headings),
        page=bisect_right(document.pages, start) if document.pages else None,
        reading=reading,
        metadata=document.metadata,
        markup=document.markup,
    )


def with_title(document: Document, headings: tuple[str, ...]) -> tuple[str, ...]:
    """The document's title in front of the path, unless the path begins with it."""
    title = document.metadata.get("title")
    if not isinstance(title, str) or not title.strip() or (headings and headings[0] == title):
        return headings
    return (title, *headings)


def reading(headings: Sequence[str], text: str) -> str:
    """What embedder and reranker read: the headings that the text does not begin with, then the text."""
    first_line = text.lstrip("# \t").split("\n", 1)[0].strip("# \t")
    above = headings[:-1] if headings and headings[-1].strip("# \t") == first_line else headings
    return f"{heading_line(above)}{text}"


def heading_line(headings: Sequence[str]) -> str:
    return f"{' > '.join(headings)}\n" if headings else ""


def _chunk_id(document_id: str, ordinal: int, start: int, reading: str) -> str:
    """Deterministic, so that ingesting twice writes the same rows and a crash can be repaired."""
    identity = f"{document_id}\x00{ordinal}\x00{start}\x00{reading}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
