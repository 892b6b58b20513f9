"""Scores from Together's rerank endpoint, which takes documents with named fields.

Its scores are no probabilities: the best of its own example is 0.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import PositiveInt

from rag.parts import Parts
from rag.rerankers.fields import named
from rag.rerankers.hosted import HostedReranker, HostedSettings, ranked, texts
from rag.types import Chunk, RerankerCard


class TogetherSettings(HostedSettings, frozen=True):
    provider: ClassVar[str] = "Together"
    address: ClassVar[str] = "https://api.together.xyz/v1"
    variables: ClassVar[tuple[str, ...]] = ("TOGETHER_API_KEY",)

    kind: Literal["together"]
    model: str = "Salesforce/Llama-Rank-V1"
    documents_per_call: PositiveInt = 500

    def build(self, parts: Parts) -> HostedReranker:
        return HostedReranker(
            RerankerCard("together", self.model), self.endpoint(parts.place), "/rerank", self._body, ranked
        )

    def _body(self, question: str, chunks: Sequence[Chunk]) -> dict[str, object]:
        body: dict[str, object] = {"model": self.model, "query": question, "return_documents": False}
        if not self.fields:
            return body | {"documents": texts(chunks, None)}
        # Every document has every field: a missing one would be refused.
        names = self.fields if "text" in self.fields else (*self.fields, "text")
        documents = [{**dict.fromkeys(names, ""), **named(chunk, self.fields)} for chunk in chunks]
        return body | {"documents": documents, "rank_fields": list(names)}
