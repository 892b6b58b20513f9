"""The providers' own clients against the loopback server: its contracts are theirs, not our idea of them."""

from __future__ import annotations

from typing import Any, cast

import cohere
import openai
import pytest
from cohere.core.api_error import ApiError
from support.servers.cohere_server import overlap
from support.servers.loopback import KEY
from support.servers.rerank_server import RerankServer, Say

QUERY = "when does the dome close"
TEXTS = ["soup is at noon", "the dome does close", "when does the dome close"]
SCORES = [overlap(QUERY, text) for text in TEXTS]


def test_coheres_client_is_understood_and_understands(rerank_server: RerankServer) -> None:
    with cohere.ClientV2(KEY, base_url=f"{rerank_server.url}/cohere", max_retries=0) as client:
        ranked = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS, top_n=3)
        assert {r.index: r.relevance_score for r in ranked.results} == dict(enumerate(SCORES))
        assert ranked.meta is not None
        assert ranked.meta.billed_units is not None
        assert ranked.meta.billed_units.search_units == 1
        embedded = client.embed(
            model="embed-v4.0", texts=TEXTS, input_type="search_document", embedding_types=["float"]
        )
        assert len(embedded.embeddings.float_ or []) == 3
        with pytest.raises(ApiError) as refused:
            client.rerank(model="rerank-v3.5", query=QUERY, documents=[])
        assert refused.value.status_code == 400


def test_openais_client_is_understood_and_understands(rerank_server: RerankServer) -> None:
    with openai.OpenAI(api_key=KEY, base_url=f"{rerank_server.url}/openai/v1", max_retries=0) as client:
        embedded = client.embeddings.create(model="m", input=TEXTS)
        assert sorted(item.index for item in embedded.data) == [0, 1, 2]
        said = client.chat.completions.create(
            model="m",
            messages=[
                {"role": "system", "content": "judge"},
                {"role": "user", "content": f'{{"question": "{QUERY}", "passage": "{TEXTS[1]}"}}'},
            ],
            logprobs=True,
            top_logprobs=20,
        )
        chances = said.choices[0].logprobs
        assert chances is not None
        assert chances.content is not None
        assert [top.token for top in chances.content[0].top_logprobs] == ["Yes", " no"]
        rerank_server.plan(Say(429, {"error": {"message": "slow down", "type": "rate_limit", "code": None}}))
        with pytest.raises(openai.RateLimitError, match="slow down"):
            client.embeddings.create(model="m", input=TEXTS)


# Its import reaches for an image library, an HTTP client of 2015 and what else is not ours.
@pytest.mark.filterwarnings("ignore")
def test_voyages_client_is_understood_and_understands(rerank_server: RerankServer) -> None:
    voyageai: Any = pytest.importorskip("voyageai")
    client = voyageai.Client(api_key=KEY, base_url=f"{rerank_server.url}/voyage/v1", max_retries=0)
    ranked = client.rerank(QUERY, TEXTS, model="rerank-2.5", top_k=3)
    assert {r.index: r.relevance_score for r in ranked.results} == dict(enumerate(SCORES))
    assert ranked.total_tokens > 0
    with pytest.raises(voyageai.error.InvalidRequestError) as refused:
        client.rerank(QUERY, [], model="rerank-2.5")
    assert "documents" in str(cast(Exception, refused.value))
