"""KnowledgeSDK's search as the first stage. The shape of its reply is not known for certain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.servers.loopback import KEY
from support.servers.rerank_server import Edit, RerankServer, Say

from rag import Settings
from rag.api import Rag
from rag.errors import ConfigError, InputError, ProtocolError, ServiceError
from rag.filters import Where
from rag.index.index import Index
from rag.retrievers.knowledgesdk import KnowledgeSdkRetriever, KnowledgeSdkSettings
from rag.types import Question

QUESTION = Question("When does the dome close?")


def _no_index() -> Index:
    raise AssertionError("nothing but KnowledgeSDK is searched")


def build(server: RerankServer, **settings: Any) -> KnowledgeSdkRetriever:
    given = {"kind": "knowledgesdk", "base_url": f"{server.url}/knowledge", "api_key": KEY, "retries": 0}
    return KnowledgeSdkSettings.model_validate(given | settings).build(_no_index)


def test_its_items_are_candidates_in_its_order(rerank_server: RerankServer) -> None:
    found = build(rerank_server).retrieve(QUESTION)
    assert [(c.rank, c.chunk.id, c.chunk.source) for c in found] == [
        (1, "k0", "https://example.org/dome"),
        (2, "k1", "https://example.org/tea"),
    ]
    assert found[0].chunk.text == "The dome does close when the wind gusts."
    assert found[0].chunk.reading.startswith("Domes\n\nThe dome")
    assert rerank_server.asked() == [{"query": QUESTION.text, "limit": 20}]
    assert rerank_server.calls[0].headers["x-api-key"] == KEY
    assert "authorization" not in rerank_server.calls[0].headers


@pytest.mark.parametrize(
    "shape",
    [
        lambda items: items,
        lambda items: {"hits": items},
        lambda items: {"items": items},
        lambda items: {"data": {"results": items}},
        lambda items: [{"text": item["content"], "url": item["sourceUrl"]} for item in items],
    ],
)
def test_the_list_may_stand_anywhere(rerank_server: RerankServer, shape: Callable[[Any], object]) -> None:
    rerank_server.plan(Edit(lambda answer: shape(answer["results"])))
    found = build(rerank_server).retrieve(QUESTION)
    assert [c.chunk.source for c in found] == ["https://example.org/dome", "https://example.org/tea"]
    assert len({c.chunk.id for c in found}) == 2


@pytest.mark.parametrize("body", ["<html>", "{}", '{"results": 3}', '{"results": [{"title": "no content"}]}'])
def test_what_holds_no_items_is_a_protocol_error(rerank_server: RerankServer, body: str) -> None:
    rerank_server.plan(Say(200, body))
    with pytest.raises(ProtocolError, match="KnowledgeSDK"):
        build(rerank_server).retrieve(QUESTION)


def test_nothing_found_is_nothing_found(rerank_server: RerankServer) -> None:
    rerank_server.plan(Say(200, {"results": []}))
    assert list(build(rerank_server).retrieve(QUESTION)) == []


def test_filters_are_refused_not_ignored(rerank_server: RerankServer) -> None:
    with pytest.raises(InputError, match="no metadata filters"):
        build(rerank_server).retrieve(QUESTION, Where.of({"year": 2020}))


def test_a_wrong_key_is_told_and_a_missing_one_before(rerank_server: RerankServer) -> None:
    with pytest.raises(ServiceError, match="RAG_RETRIEVER__API_KEY"):
        build(rerank_server, api_key="wrong").retrieve(QUESTION)
    with pytest.raises(ConfigError, match="KNOWLEDGESDK_API_KEY"):
        build(rerank_server, api_key=None, base_url=None)


def test_its_hits_are_reranked_here(rerank_server: RerankServer, tmp_path: Path) -> None:
    """No index, no ingest: the first stage is theirs, the second ours."""
    settings = Settings(
        store={"path": tmp_path / "index"},  # type: ignore[arg-type]  # pydantic validates
        retriever={"kind": "knowledgesdk", "base_url": f"{rerank_server.url}/knowledge", "api_key": KEY},  # type: ignore[arg-type]  # as above
    )
    rerank_server.plan(Edit(lambda answer: {"results": answer["results"][::-1]}))
    answer = Rag(settings).ask(QUESTION.text)
    assert answer.passages[0].chunk.source == "https://example.org/dome"
    assert answer.passages[0].candidate.rank == 2
    assert answer.trace.rerank is not None
    assert (answer.trace.rerank.status, answer.trace.retriever) == ("ok", "knowledgesdk")
