"""A key that a service sends back stands in nothing that is shown or kept, be the reply good or bad."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from support.asked import QUESTION, TEXTS, candidates
from support.servers.loopback import KEY, Fault
from support.servers.openai_server import OpenAIServer, Say
from support.servers.rerank_server import Edit, RerankServer

from rag.errors import ServiceError
from rag.generators.openai import OpenAIGenerator, OpenAIGeneratorSettings
from rag.retrievers.knowledgesdk import KnowledgeSdkSettings
from rag.services.account import Account, StreamedMask
from rag.types import Passage, Reply

PASSAGES = [
    Passage(candidate, 0.5, 0.0, 0.5, rank) for rank, candidate in enumerate(candidates(*TEXTS), start=1)
]


@pytest.fixture
def generator(openai_server: OpenAIServer) -> OpenAIGenerator:
    settings = OpenAIGeneratorSettings(
        kind="openai", base_url=openai_server.base_url, api_key=SecretStr(KEY), retries=0
    )
    return settings.build()


def test_an_answer_does_not_hold_it(generator: OpenAIGenerator, openai_server: OpenAIServer) -> None:
    openai_server.plan(Say(f"I was asked with {KEY}, and said “dome” [1].", finish=f"stop {KEY}"))
    reply = generator.generate(QUESTION, PASSAGES)
    assert reply.text == "I was asked with [key], and said “dome” [1]."
    assert KEY not in repr(reply)


def test_nor_does_a_stream_that_cuts_it_in_two(
    generator: OpenAIGenerator, openai_server: OpenAIServer
) -> None:
    pieces = [KEY[:4], KEY[4:11], f"{KEY[11:]} {KEY[:6]}"]
    body = "".join(
        f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{piece}"}}}}]}}\n\n' for piece in pieces
    )
    openai_server.plan(Fault(200, body, {"content-type": "text/event-stream"}))
    *texts, reply = generator.stream(QUESTION, PASSAGES)
    assert isinstance(reply, Reply)
    assert "".join(map(str, texts)) == reply.text == f"[key] {KEY[:6]}"


def test_a_refusal_by_the_model_does_not_hold_it(
    generator: OpenAIGenerator, openai_server: OpenAIServer
) -> None:
    openai_server.plan(Say(None, refusal=f"not for {KEY}"))
    assert generator.generate(QUESTION, PASSAGES).text == "not for [key]"


def test_passages_of_a_service_do_not_hold_it(rerank_server: RerankServer) -> None:
    def echo(answer: Any) -> object:
        item = {"id": KEY, "title": KEY, "content": f"the dome {KEY}", "sourceUrl": f"http://x/{KEY}"}
        return {"results": [item | {"category": KEY}]}

    rerank_server.plan(Edit(echo))
    settings = KnowledgeSdkSettings(
        kind="knowledgesdk", base_url=f"{rerank_server.url}/knowledge", api_key=SecretStr(KEY)
    )
    (found,) = settings.build(lambda: None).retrieve(QUESTION)  # type: ignore[arg-type,return-value]  # it needs no index
    assert KEY not in repr(found)
    assert found.chunk.text == "the dome [key]"


def test_an_error_holds_neither_it_nor_what_steers_a_terminal(
    generator: OpenAIGenerator, openai_server: OpenAIServer
) -> None:
    openai_server.plan(Fault(400, {"error": {"message": f"\x1b]52;c;{KEY}\x07 \u202e no"}}))
    with pytest.raises(ServiceError) as caught:
        generator.generate(QUESTION, PASSAGES)
    assert "\\x1b]52;c;[key]\\x07 \\u202e no" in str(caught.value)


def test_a_placeholder_that_is_a_word_stays_in_answers() -> None:
    account = Account("a server", SecretStr("ollama"), "OLLAMA_KEY")
    assert account.masked("ollama runs here") == "ollama runs here"
    assert "ollama" not in str(account.failure("no ollama"))


@pytest.mark.parametrize("size", range(1, 9))
def test_however_a_text_is_cut_its_mask_is_the_same(size: int) -> None:
    text = "a secret-secret-1 and secret-secret-secret-1, secret-"
    mask = StreamedMask("secret-secret-1")
    shown = "".join(mask.feed(text[at : at + size]) for at in range(0, len(text), size)) + mask.rest()
    assert shown == "a [key] and secret-[key], secret-"
