from __future__ import annotations

import base64
from typing import Any

import numpy as np
import openai
import pytest
from support.servers.loopback import KEY, Fault
from support.servers.openai_server import DIMENSION, OpenAIServer, embedding

from rag.embedders.hosted import HostedEmbedder
from rag.embedders.openai import OpenAIEmbedderSettings
from rag.errors import InputError, ProtocolError, ServiceError, TransientError


def build(server: OpenAIServer, **settings: Any) -> HostedEmbedder:
    given = {
        "kind": "openai",
        "api_key": KEY,
        "base_url": server.base_url,
        "retries": 0,
        "model": "some-model",
        "dimensions": DIMENSION,
    } | settings
    return OpenAIEmbedderSettings.model_validate(given).build()


def unit(text: str, length: int = DIMENSION) -> list[float]:
    vector = np.array(embedding(text, length), dtype=np.float32)
    return [float(value) for value in vector / np.linalg.norm(vector)]


def encoded(*values: float) -> str:
    return base64.b64encode(np.array(values, dtype="<f4").tobytes()).decode()


def answer(*items: tuple[int, object]) -> dict[str, object]:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in items]
    return {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


# --- vectors -------------------------------------------------------------------------------


def test_each_passage_gets_its_own_vector_though_the_server_answers_in_another_order(
    openai_server: OpenAIServer,
) -> None:
    vectors = build(openai_server).embed_passages(["one", "two", "three"])
    assert [vector.tokens for vector in vectors] == [None] * 3
    for text, made in zip(["one", "two", "three"], vectors, strict=True):
        assert made.vector == pytest.approx(unit(text), abs=1e-6)
        assert made.vector.dtype == np.float32


def test_a_question_and_a_passage_are_embedded_with_their_prompts(openai_server: OpenAIServer) -> None:
    embedder = build(openai_server, question_prompt="query: ", passage_prompt="passage: ")
    question = embedder.embed_question("one")
    (passage,) = embedder.embed_passages(["one"])
    assert [request.body["input"] for request in openai_server.requests] == [["query: one"], ["passage: one"]]
    assert question.vector == pytest.approx(unit("query: one"), abs=1e-6)
    assert passage.vector == pytest.approx(unit("passage: one"), abs=1e-6)


def test_a_server_that_answers_plain_lists_is_understood(openai_server: OpenAIServer) -> None:
    openai_server.plan(Fault(200, answer((0, [0.0, 3.0, 4.0]))))
    question = build(openai_server, dimensions=3).embed_question("a")
    assert question.vector == pytest.approx([0.0, 0.6, 0.8])


def test_nothing_is_asked_for_no_texts(openai_server: OpenAIServer) -> None:
    assert build(openai_server).embed_passages([]) == []
    assert openai_server.requests == []


# --- the limits of a request ---------------------------------------------------------------


def test_more_texts_than_a_request_holds_are_split_and_come_back_in_order(
    openai_server: OpenAIServer,
) -> None:
    texts = [f"text {number}" for number in range(2050)]
    vectors = build(openai_server).embed_passages(texts)
    assert [len(request.body["input"]) for request in openai_server.requests] == [2048, 2]
    for number in (0, 2047, 2048, 2049):
        assert vectors[number].vector == pytest.approx(unit(texts[number]), abs=1e-6)


def test_more_tokens_than_a_request_may_hold_are_split(openai_server: OpenAIServer) -> None:
    texts = [f"{number} {'a' * 24_000}" for number in range(50)]
    assert len(build(openai_server).embed_passages(texts)) == 50
    assert len(openai_server.requests) == 3


def test_a_text_that_exceeds_the_window_is_refused_before_it_is_sent(openai_server: OpenAIServer) -> None:
    embedder = build(openai_server, window=10, passage_prompt="12345")
    embedder.embed_passages(["x" * 35])
    with pytest.raises(InputError, match="about 11 tokens does not fit the window of openai:some-model, 10"):
        embedder.embed_passages(["fits", "x" * 36])
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_an_empty_text_is_refused_before_it_is_sent(openai_server: OpenAIServer, empty: str) -> None:
    embedder = build(openai_server, question_prompt="query: ")
    with pytest.raises(InputError, match="empty text"):
        embedder.embed_question(empty)
    with pytest.raises(InputError, match="empty text"):
        embedder.embed_passages(["a", empty])
    assert openai_server.requests == []


def test_the_sizer_estimates_a_quarter_of_the_bytes_rounded_up(openai_server: OpenAIServer) -> None:
    size = build(openai_server).sizer()
    assert callable(size)
    assert [size(text) for text in ("", "a", "abcd", "abcde", "éé", "关闭")] == [0, 1, 1, 2, 1, 2]


# --- the card ------------------------------------------------------------------------------


def test_the_card_knows_the_lengths_of_openais_own_models_without_asking(openai_server: OpenAIServer) -> None:
    card = build(openai_server, model="text-embedding-3-large", dimensions=None).card
    assert (card.name, card.dimension, card.window, card.tokens) == (
        "openai:text-embedding-3-large",
        3072,
        8191,
        False,
    )
    assert openai_server.requests == []


def test_the_length_of_an_unknown_model_is_asked_for_once(openai_server: OpenAIServer) -> None:
    embedder = build(openai_server, dimensions=None)
    assert embedder.card.dimension == DIMENSION
    assert len(openai_server.requests) == 1
    assert "dimensions" not in openai_server.requests[0].body


def test_a_shorter_vector_can_be_ordered(openai_server: OpenAIServer) -> None:
    embedder = build(openai_server, model="text-embedding-3-small", dimensions=256)
    assert embedder.embed_question("a").vector.shape == (embedder.card.dimension,) == (256,)
    assert openai_server.requests[0].body["dimensions"] == 256


def test_prompts_change_the_card(openai_server: OpenAIServer) -> None:
    assert build(openai_server).card == build(openai_server).card
    assert build(openai_server).card != build(openai_server, passage_prompt="p: ").card


# --- answers against the contract ----------------------------------------------------------

GOOD = [0.6, 0.8]


@pytest.mark.parametrize(
    "body",
    [
        answer((0, GOOD)),
        answer((0, GOOD), (0, GOOD)),
        answer((0, GOOD), (2, GOOD)),
        answer((0, GOOD), (-1, GOOD)),
        answer((0, GOOD), (1, GOOD), (1, GOOD)),
        answer((0, GOOD), (1, [1.0])),
        answer((0, GOOD), (1, [0.0, 0.0])),
        answer((0, GOOD), (1, encoded(float("nan"), 1.0))),
        answer((0, GOOD), (1, encoded(float("inf"), 1.0))),
        answer((0, GOOD), (1, "*not base64*")),
        answer((0, GOOD), (1, "AAA=")),
        answer((0, GOOD), (1, None)),
        answer(),
        {"data": None},
        {},
        [],
        "no json",
    ],
    ids=lambda body: str(body)[:60],
)
def test_missing_doubled_short_or_senseless_vectors_break_the_contract(
    openai_server: OpenAIServer, body: object
) -> None:
    openai_server.plan(Fault(200, body))
    with pytest.raises(ProtocolError, match="against its contract"):
        build(openai_server, dimensions=2).embed_passages(["a", "b"])


# --- refusals and settings -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ServiceError), (429, TransientError), (502, TransientError)]
)
def test_a_refusal_is_told_as_passing_or_lasting(
    openai_server: OpenAIServer, status: int, kind: type[ServiceError]
) -> None:
    openai_server.plan(Fault(status, {"error": {"message": "not today"}}))
    with pytest.raises(ServiceError, match="not today") as caught:
        build(openai_server).embed_question("a")
    assert type(caught.value) is kind


def test_a_wrong_key_is_permanent_and_never_shown(openai_server: OpenAIServer) -> None:
    with pytest.raises(ServiceError, match="RAG_EMBEDDER__API_KEY") as caught:
        build(openai_server, api_key="sk-wrong-0123456789").embed_question("a")
    assert caught.value.status == 401
    assert "sk-wrong-0123456789" not in str(caught.value)


# --- the server enforces the contract ------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [["a"] * 2049, ["a", ""], [], ["a" * 30_000], ["a" * 24_000] * 40],
    ids=["many", "empty", "none", "long", "sum"],
)
def test_the_server_refuses_what_openai_refuses(openai_server: OpenAIServer, texts: list[str]) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=openai_server.base_url, max_retries=0)
    with client, pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="m", input=texts)


def test_the_server_answers_base64_where_the_sdk_asks_for_it(openai_server: OpenAIServer) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=openai_server.base_url, max_retries=0)
    with client:
        made = client.embeddings.create(model="m", input="one").data[0].embedding
    assert made == pytest.approx(embedding("one", DIMENSION))
    assert openai_server.requests[0].body["encoding_format"] == "base64"
