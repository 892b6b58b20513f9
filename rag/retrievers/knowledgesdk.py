"""Passages from KnowledgeSDK's hybrid search, to be reranked here.

The shape of its reply is not documented in full, and this was not run against the live service: a
list is taken from wherever it may stand, and only what is needed is asked of its items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from rag.errors import InputError
from rag.filters import Where
from rag.index.index import Index
from rag.parts import Connection, Passages, Seconds
from rag.retrievers.base import RetrieverSettings
from rag.services.http import Endpoint
from rag.types import Candidate, Chunk, Question

_LISTS = ("results", "hits", "items", "data")
_RRF_K = 60


class KnowledgeSdkSettings(RetrieverSettings, Connection, frozen=True):
    provider: ClassVar[str] = "KnowledgeSDK"
    address: ClassVar[str] = "https://api.knowledgesdk.com"
    variables: ClassVar[tuple[str, ...]] = ("KNOWLEDGESDK_API_KEY",)
    key_header: ClassVar[str] = "x-api-key"
    most_bytes: ClassVar[int] = 20_000_000

    kind: Literal["knowledgesdk"]
    top_n: Passages = 20
    timeout_s: Seconds = 10.0

    def build(self, index: Callable[[], Index]) -> KnowledgeSdkRetriever:
        return KnowledgeSdkRetriever(self.endpoint("retriever"), self.top_n)


class KnowledgeSdkRetriever:
    name = "knowledgesdk"

    def __init__(self, endpoint: Endpoint, top_n: int) -> None:
        self._endpoint = endpoint
        self._top_n = top_n

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]:
        if where is not None:
            raise InputError("retriever knowledgesdk knows no metadata filters: ask without --where")
        body: dict[str, object] = {"query": question.text, "limit": self._top_n}
        reply = self._endpoint.post_patiently("/v1/search", body)
        try:
            items = [self._masked(_Item.model_validate(item)) for item in _find_items(reply)]
        except (ValidationError, ValueError):
            raise self._endpoint.nonsense("no list of items with content", reply) from None
        chunks = {chunk.id: chunk for chunk in map(_chunk, items)}
        return [
            Candidate(chunk, rank, 1 / (_RRF_K + rank))
            for rank, chunk in enumerate(list(chunks.values())[: self._top_n], start=1)
        ]

    def _masked(self, item: _Item) -> _Item:
        """Its texts are cited, shown and kept: none of them holds the key."""
        texts = {name: value for name, value in item if isinstance(value, str)}
        masked = {name: self._endpoint.account.masked(text) for name, text in texts.items()}
        return item.model_copy(update=masked)


class _Item(BaseModel):
    id: Annotated[str | int, Field(validation_alias=AliasChoices("id", "_id", "itemId"))] = ""
    title: str | None = None
    content: Annotated[
        str, Field(min_length=1, validation_alias=AliasChoices("content", "text", "snippet", "markdown"))
    ]
    source: Annotated[str | None, Field(validation_alias=AliasChoices("sourceUrl", "url", "source"))] = None
    category: str | None = None


def _find_items(reply: Any) -> list[Any]:
    """A bare list, or one under any of the usual names, if need be one level down."""
    if isinstance(reply, list):
        return reply
    for name in _LISTS if isinstance(reply, dict) else ():
        found = reply.get(name)
        if isinstance(found, list | dict):
            return _find_items(found)
    raise ValueError("no list")


def _chunk(item: _Item) -> Chunk:
    source = item.source or item.title or str(item.id) or "knowledgesdk"
    hashed = hashlib.sha256(f"{source}\n{item.content}".encode("utf-8", "replace")).hexdigest()[:32]
    metadata = {"title": item.title or "", "category": item.category or ""}
    return Chunk(
        id=str(item.id) or hashed,
        document_id=str(item.id) or hashed,
        source=source,
        ordinal=0,
        text=item.content,
        start=0,
        end=len(item.content),
        headings=(item.title,) if item.title else (),
        reading="\n\n".join(filter(None, [item.title, item.content])),
        metadata={name: value for name, value in metadata.items() if value},
    )
