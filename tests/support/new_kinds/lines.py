"""A chunker that takes every line for a passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from rag.protocols import Ruler
from rag.types import Chunk, Document


class LinesSettings(BaseModel, frozen=True, extra="forbid"):
    kind: Literal["lines"]

    def build(self, embedder: Ruler) -> Lines:
        return Lines()


class Lines:
    fingerprint = "lines"

    def chunk(self, document: Document) -> Sequence[Chunk]:
        made: list[Chunk] = []
        at = 0
        for line in document.text.splitlines(keepends=True):
            text, end = line.strip(), at + len(line)
            id_ = f"{document.id}-{at}"
            made.append(Chunk(id_, document.id, document.source, len(made), text, at, end, reading=text))
            at = end
        return [chunk for chunk in made if chunk.text]
