"""Each document as one passage, however long: for collections whose documents are passages already.

An embedder reads only its window of a longer one. Public test collections are measured this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from rag.chunkers.passages import Piece, make_chunk, reading, with_title
from rag.protocols import Ruler
from rag.types import Chunk, Document


class WholeSettings(BaseModel, frozen=True, extra="forbid"):
    kind: Literal["whole"]
    headings: bool = True

    def build(self, embedder: Ruler) -> WholeChunker:
        return WholeChunker(self.headings)


class WholeChunker:
    def __init__(self, headings: bool) -> None:
        self._headings = headings
        self.fingerprint = f"whole headings={headings}"

    def chunk(self, document: Document) -> Sequence[Chunk]:
        if not document.text.strip():
            return []
        headings = with_title(document, ())
        read = reading(headings, document.text) if self._headings else document.text
        return [make_chunk(document, 0, Piece(0, len(document.text)), headings, read)]
