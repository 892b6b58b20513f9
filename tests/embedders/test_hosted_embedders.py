"""Embedders over plain HTTP: Cohere's, and any server with an OpenAI-like endpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from support.servers.loopback import KEY
from support.servers.openai_server import embedding
from support.servers.rerank_server import Break, Edit, RerankServer, Say

from rag.embedders import AnyEmbedderSettings
from rag.embedders.hosted import HostedEmbedder
from rag.errors import ConfigError, ProtocolError, ServiceError, TransientError

KINDS: dict[str, dict[str, Any]] = {
    "cohere": {"kind": "cohere", "base_url": "cohere", "api_key": KEY, "model": "m"},
    "http": {"kind": "http", "base_url": "infinity", "model": "m"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def build(server: RerankServer, kind: str, **settings: Any) -> HostedEmbedder:
    given = {"dimensions": 8, "retries": 0, **KINDS[kind], **settings}
    given["base_url"] = f"{server.url}/{given['base_url']}"
    adapter: TypeAdapter[AnyEmbedderSettings] = TypeAdapter(AnyEmbedderSettings)
    made = adapter.validate_python(given).build()
    assert isinstance(made, HostedEmbedder)
    return made


def unit(text: str) -> list[float]:
    vector = np.array(embedding(text, 8), dtype=np.float32)
    return [float(value) for value in vector / np.linalg.norm(vector)]


@every_kind
def test_each_text_gets_its_own_vector_of_unit_length(rerank_server: RerankServer, kind: str) -> None:
    role = "search_document: " if kind == "cohere" else ""
    made = build(rerank_server, kind).embed_passages(["one", "two", "three"])
    for text, passage in zip(["one", "two", "three"], made, strict=True):
        assert passage.vector == pytest.approx(unit(role + text), abs=1e-5)
        assert passage.tokens is None


def test_cohere_is_told_what_is_a_question(rerank_server: RerankServer) -> None:
    build(rerank_server, "cohere").embed_question("one")
    assert rerank_server.asked()[0]["input_type"] == "search_query"


def test_prompts_are_put_before_where_the_server_knows_no_roles(rerank_server: RerankServer) -> None:
    embedder = build(rerank_server, "http", question_prompt="query: ", passage_prompt="passage: ")
    embedder.embed_question("one")
    embedder.embed_passages(["one"])
    assert [body["input"] for body in rerank_server.asked()] == [["query: one"], ["passage: one"]]


@every_kind
def test_more_texts_than_a_call_may_hold_are_split(rerank_server: RerankServer, kind: str) -> None:
    texts = [f"text {number}" for number in range(200)]
    settings: dict[str, Any] = {} if kind == "cohere" else {"texts_per_call": 90}
    assert len(build(rerank_server, kind, **settings).embed_passages(texts)) == 200
    assert len(rerank_server.calls) == 3


@every_kind
def test_the_length_of_the_vectors_is_asked_for_where_nothing_tells_it(
    rerank_server: RerankServer, kind: str
) -> None:
    assert build(rerank_server, kind, dimensions=None).card.dimension == 8


def test_a_server_without_a_key_is_sent_none(rerank_server: RerankServer) -> None:
    build(rerank_server, "http").embed_question("one")
    assert "authorization" not in rerank_server.calls[0].headers


def test_cohere_wants_a_key(rerank_server: RerankServer) -> None:
    with pytest.raises(ConfigError, match="RAG_EMBEDDER__API_KEY"):
        build(rerank_server, "cohere", api_key=None)


@every_kind
@pytest.mark.parametrize(
    "step",
    [
        Say(200, "<html>"),
        Say(200, "{}"),
        Edit(lambda answer: {"data": answer.get("data", [])[1:], "embeddings": {"float": [[1.0]]}}),
        Edit(
            lambda answer: {
                "data": [{"index": 0, "embedding": [0.0] * 8}],
                "embeddings": {"float": [[0.0] * 8]},
            }
        ),
        Edit(lambda answer: {"data": [{"index": 0, "embedding": ["x"]}], "embeddings": {"float": [["x"]]}}),
        Break("truncated"),
    ],
)
def test_a_reply_against_the_contract_is_a_protocol_error(
    rerank_server: RerankServer, kind: str, step: Say | Edit | Break
) -> None:
    rerank_server.plan(step)
    with pytest.raises(ProtocolError):
        build(rerank_server, kind).embed_question("one")


@every_kind
def test_what_may_pass_is_tried_again(rerank_server: RerankServer, kind: str) -> None:
    rerank_server.plan(Say(503, "", {"retry-after": "0"}))
    build(rerank_server, kind, retries=1).embed_question("one")
    assert len(rerank_server.calls) == 2


@every_kind
def test_a_refusal_is_told(rerank_server: RerankServer, kind: str) -> None:
    rerank_server.plan(Say(400, {"message": "no such model"}), Say(500, ""))
    with pytest.raises(ServiceError, match="no such model"):
        build(rerank_server, kind).embed_question("one")
    with pytest.raises(TransientError):
        build(rerank_server, kind).embed_question("one")
