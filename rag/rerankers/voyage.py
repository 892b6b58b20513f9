"""Scores from Voyage's rerank endpoint, by plain HTTP: its SDK would bring an image library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from rag.parts import Parts
from rag.rerankers.hosted import HostedReranker, HostedSettings, Ranked, Reply, Result, texts
from rag.types import Chunk, RerankerCard


class VoyageSettings(HostedSettings, frozen=True):
    """`documents_per_call`: the service takes a thousand, and 600,000 tokens, the question counted
    once a document; 200 documents keep within that whatever is asked."""

    provider: ClassVar[str] = "Voyage"
    address: ClassVar[str] = "https://api.voyageai.com/v1"
    variables: ClassVar[tuple[str, ...]] = ("VOYAGE_API_KEY",)

    kind: Literal["voyage"]
    model: str = "rerank-2.5"
    truncation: bool = True
    documents_per_call: PositiveInt = 200

    def build(self, parts: Parts) -> HostedReranker:
        return HostedReranker(
            RerankerCard("voyage", self.model), self.endpoint(parts.place), "/rerank", self._body, _ranked
        )

    def _body(self, question: str, chunks: Sequence[Chunk]) -> dict[str, object]:
        return {
            "model": self.model,
            "query": question,
            "documents": texts(chunks, self.fields),
            "truncation": self.truncation,
        }


class _Reply(Reply):
    results: list[Result] = Field(alias="data")


def _ranked(reply: Any) -> Ranked:
    return _Reply.model_validate(reply).ranked()
