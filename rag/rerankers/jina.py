"""Scores from Jina's rerank endpoint. Its newer models are listwise: they read all documents together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

from pydantic import PositiveInt

from rag.errors import InputError
from rag.parts import Parts
from rag.rerankers.base import CallStyle
from rag.rerankers.hosted import HostedReranker, HostedSettings, ranked, texts
from rag.types import Chunk, RerankerCard

# They judge each document by itself, so that a list may be cut into several calls.
_POINTWISE = frozenset(
    {
        *("jina-reranker-v1-base-en", "jina-reranker-v1-tiny-en", "jina-reranker-v1-turbo-en"),
        *("jina-reranker-v2-base-multilingual", "jina-reranker-m0"),
        *("jina-colbert-v1-en", "jina-colbert-v2"),
    }
)


class JinaSettings(HostedSettings, frozen=True):
    """listwise: whether the model reads all documents together; unset, any model that is not known to
    judge each by itself. Its list is never split: one that is too long is refused."""

    provider: ClassVar[str] = "Jina"
    address: ClassVar[str] = "https://api.jina.ai/v1"
    variables: ClassVar[tuple[str, ...]] = ("JINA_API_KEY",)

    kind: Literal["jina"]
    model: str = "jina-reranker-v2-base-multilingual"
    listwise: bool | None = None
    documents_per_call: PositiveInt = 500

    def call_style(self) -> CallStyle:
        style = super().call_style()
        return replace(style, size=None, listwise=True) if self._is_listwise() else style

    def build(self, parts: Parts) -> HostedReranker:
        return HostedReranker(
            RerankerCard("jina", self.model),
            self.endpoint(parts.place),
            "/rerank",
            partial(self._body, parts.place),
            ranked,
        )

    def _is_listwise(self) -> bool:
        return self.model not in _POINTWISE if self.listwise is None else self.listwise

    def _body(self, place: str, question: str, chunks: Sequence[Chunk]) -> dict[str, object]:
        if self._is_listwise() and len(chunks) > self.documents_per_call:
            raise InputError(
                f"{self.model} is listwise and gets at most {self.documents_per_call} documents a call, not "
                f"{len(chunks)}: lower retriever.top_n or raise {place}.documents_per_call"
            )
        return {
            "model": self.model,
            "query": question,
            "documents": texts(chunks, self.fields),
            "top_n": len(chunks),
            "return_documents": False,
        }
