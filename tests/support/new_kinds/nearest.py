"""A first stage that knows nothing but vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from rag.filters import Where
from rag.index.index import Index
from rag.retrievers.base import RetrieverSettings
from rag.types import Candidate, Question


class NearestSettings(RetrieverSettings, frozen=True):
    kind: Literal["nearest"]
    top_n: int = 10

    def build(self, index: Callable[[], Index]) -> NearestRetriever:
        return NearestRetriever(index(), self.top_n)


class NearestRetriever:
    name = "nearest"

    def __init__(self, index: Index, top_n: int) -> None:
        self._index = index
        self._top_n = top_n

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]:
        assert question.vectors is not None
        hits = self._index.current().vectors.search(question.vectors.vector, self._top_n, where)
        chunks = self._index.catalog.chunks([hit.id for hit in hits])
        return [Candidate(chunks[hit.id], rank, hit.score) for rank, hit in enumerate(hits, start=1)]
