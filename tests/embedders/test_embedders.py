"""One contract over every embedder: a vector of unit length for each text, in the order given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer
from support.servers.rerank_server import RerankServer

from rag.chunkers.structure import counter
from rag.embedders import AnyEmbedderSettings
from rag.protocols import Embedder
from rag.types import Floats

TEXTS = ["The dome closes in high wind.", "Soup is at noon.", "The vane turns.", "A longer text, " * 20]


@pytest.fixture(params=["sentence-transformers", "openai", "cohere", "http"])
def embedder(
    request: pytest.FixtureRequest, openai_server: OpenAIServer, rerank_server: RerankServer
) -> Embedder:
    hosted = {"model": "m", "dimensions": 8, "api_key": KEY, "retries": 0}
    settings: dict[str, dict[str, Any]] = {
        "sentence-transformers": {"precision": "fp32"},
        "openai": {**hosted, "base_url": openai_server.base_url},
        "cohere": {**hosted, "base_url": f"{rerank_server.url}/cohere"},
        "http": {**hosted, "base_url": f"{rerank_server.url}/infinity"},
    }
    adapter: TypeAdapter[AnyEmbedderSettings] = TypeAdapter(AnyEmbedderSettings)
    return adapter.validate_python({"kind": request.param, **settings[request.param]}).build()


def vectors(embedder: Embedder, texts: list[str]) -> Floats:
    return np.stack([passage.vector for passage in embedder.embed_passages(texts)])


def test_every_vector_has_unit_length_and_the_dimension_of_the_card(embedder: Embedder) -> None:
    found = vectors(embedder, TEXTS)
    assert found.shape == (len(TEXTS), embedder.card.dimension)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_vectors_come_in_the_order_of_the_texts_and_do_not_depend_on_the_others(embedder: Embedder) -> None:
    together = vectors(embedder, TEXTS)
    assert vectors(embedder, TEXTS[::-1]) == pytest.approx(together[::-1], abs=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert vectors(embedder, [text])[0] == pytest.approx(vector, abs=1e-5)


def test_many_questions_are_encoded_as_each_alone(embedder: Embedder) -> None:
    together = [question.vector for question in embedder.embed_questions(TEXTS)]
    for text, vector in zip(TEXTS, together, strict=True):
        assert embedder.embed_question(text).vector == pytest.approx(vector, abs=1e-5)
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_nothing_encoded_is_nothing(embedder: Embedder) -> None:
    assert list(embedder.embed_passages([])) == []
    assert list(embedder.embed_questions([])) == []


def test_tokens_are_there_where_the_card_says_so(embedder: Embedder) -> None:
    (passage,), question = embedder.embed_passages(TEXTS[:1]), embedder.embed_question(TEXTS[0])
    assert (passage.tokens is not None) == (question.tokens is not None) == embedder.card.tokens


def test_a_longer_text_measures_more(embedder: Embedder) -> None:
    measure = counter(embedder.sizer())
    assert 0 < measure(TEXTS[0]) < measure(TEXTS[3]) <= embedder.card.window


def test_it_can_be_loaded_before_the_first_text(embedder: Embedder) -> None:
    embedder.load()
    assert len(vectors(embedder, TEXTS)) == len(TEXTS)
