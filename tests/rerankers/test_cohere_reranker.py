from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cohere
import pytest
from cohere.core.api_error import ApiError
from pydantic import ValidationError
from support.servers.cohere_server import CohereServer, overlap
from support.servers.loopback import KEY, Fault

from rag.errors import ConfigError, InputError, ProtocolError, ServiceError, TransientError
from rag.parts import Parts
from rag.rerankers.cohere import CohereReranker, CohereRerankerSettings
from rag.second_stage.guards.deadline import Batches
from rag.types import Candidate, Chunk, Question, RerankerCard

QUESTION = Question("when does the dome close")


def no_encoder() -> Any:
    raise AssertionError("Cohere needs no token encoder")


PARTS = Parts(tokens=None, encoder=no_encoder)  # type: ignore[arg-type]  # Cohere looks at neither


def build(server: CohereServer, **settings: Any) -> CohereReranker:
    given = {"kind": "cohere", "api_key": KEY, "base_url": server.url, "retries": 0} | settings
    return CohereRerankerSettings.model_validate(given).build(PARTS)


def candidate(text: str, rank: int = 1, metadata: Mapping[str, str] | None = None) -> Candidate:
    chunk = Chunk(f"id{rank}", "doc", "a.md", 0, text, 0, len(text), ("Domes",))
    chunk = replace(chunk, reading=f"Domes\n{text}", metadata=metadata or {})
    return Candidate(chunk, rank, fused=1.0)


def candidates(*texts: str) -> list[Candidate]:
    return [candidate(text, rank) for rank, text in enumerate(texts, 1)]


TWO = candidates("soup is at noon", "the dome does close")


def results(*scores: tuple[object, object], **more: object) -> dict[str, object]:
    return {"results": [{"index": index, "relevance_score": score} for index, score in scores], **more}


# --- scores --------------------------------------------------------------------------------


def test_scores_come_back_in_the_order_given_not_in_the_order_ranked(cohere_server: CohereServer) -> None:
    scores = build(cohere_server).score(
        QUESTION, candidates("soup", "the dome", "when does the dome close", "dome")
    )
    assert scores.values == (0.0, 0.4, 1.0, 0.2)


def test_scores_are_plain_floats_that_json_can_hold(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(200, results((1, 1), (0, 0.25))))
    values = build(cohere_server).score(QUESTION, TWO).values
    assert [type(value) for value in values] == [float, float]
    assert json.dumps(values) == "[0.25, 1.0]"


def test_tied_scores_stay_tied(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(200, results((1, 0.5), (0, 0.5))))
    assert build(cohere_server).score(QUESTION, TWO).values == (0.5, 0.5)


def test_no_candidates_cost_no_call(cohere_server: CohereServer) -> None:
    scores = build(cohere_server).score(QUESTION, [])
    assert (scores.values, scores.units, cohere_server.requests) == ((), 0.0, [])


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_question_is_refused_before_it_is_sent(cohere_server: CohereServer, text: str) -> None:
    with pytest.raises(InputError, match="empty question"):
        build(cohere_server).score(Question(text), TWO)
    assert cohere_server.requests == []


def test_more_documents_than_a_call_may_hold_are_split_and_scored_alike(cohere_server: CohereServer) -> None:
    words = QUESTION.text.split()
    texts = [f"{' '.join(words[: number % 6])} {number}" for number in range(2001)]
    reranker = build(cohere_server)
    scores = Batches(reranker, CohereRerankerSettings(kind="cohere").call_style().size, parallel=2).score(
        QUESTION, candidates(*texts)
    )
    assert sorted(len(request.body["documents"]) for request in cohere_server.requests) == [1, 1000, 1000]
    assert list(scores.values) == [overlap(QUESTION.text, text) for text in texts]
    assert scores.units == 21


def test_the_card_names_the_model(cohere_server: CohereServer) -> None:
    assert build(cohere_server, model="rerank-x").card == RerankerCard("cohere", "rerank-x")


# --- what is sent --------------------------------------------------------------------------


def test_only_fields_of_the_second_version_are_sent(cohere_server: CohereServer) -> None:
    build(cohere_server, model="rerank-x").score(QUESTION, TWO)
    (request,) = cohere_server.requests
    assert request.path == "/v2/rerank"
    assert request.body == {
        "model": "rerank-x",
        "query": QUESTION.text,
        "documents": ["Domes\nsoup is at noon", "Domes\nthe dome does close"],
    }


def test_a_limit_on_the_length_of_documents_is_sent_where_it_is_set(cohere_server: CohereServer) -> None:
    build(cohere_server, max_tokens_per_doc=512).score(QUESTION, TWO)
    assert cohere_server.requests[0].body["max_tokens_per_doc"] == 512


def test_the_named_fields_are_sent_as_yaml_in_their_order(cohere_server: CohereServer) -> None:
    given = [candidate("it rains: a lot", metadata={"department": "Operations"})]
    build(cohere_server, fields=("department", "title", "text")).score(QUESTION, given)
    assert cohere_server.requests[0].body["documents"] == [
        "department: Operations\ntitle: Domes\ntext: 'it rains: a lot'",
    ]


# --- answers against the contract ----------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        results((0, 0.5)),
        results((0, 0.5), (0, 0.5)),
        results((0, 0.5), (2, 0.5)),
        results((0, 0.5), (-1, 0.5)),
        results((0, 0.5), (1, 0.5), (1, 0.4)),
        results((0, 0.5), (1, float("nan"))),
        results((0, 0.5), (1, float("inf"))),
        results((0, 0.5), (1, None)),
        results((0, 0.5), ("b", 0.5)),
        results(),
        {"results": None},
        {"data": []},
        {},
        [],
        '"text"',
        "no json",
        "",
    ],
    ids=lambda body: str(body)[:70],
)
def test_missing_doubled_or_senseless_scores_break_the_contract(
    cohere_server: CohereServer, body: object
) -> None:
    cohere_server.plan(Fault(200, body))
    with pytest.raises(ProtocolError, match="Cohere answered against its contract"):
        build(cohere_server).score(QUESTION, TWO)


def test_fields_that_are_not_known_yet_are_ignored(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(200, results((0, 0.1), (1, 0.2), new=1, meta={"billed_units": None, "x": 1})))
    scores = build(cohere_server).score(QUESTION, TWO)
    assert (scores.values, scores.units) == ((0.1, 0.2), 0.0)


def test_what_cohere_warns_of_is_logged(
    cohere_server: CohereServer, caplog: pytest.LogCaptureFixture
) -> None:
    cohere_server.plan(Fault(200, results((0, 0.1), (1, 0.2), meta={"warnings": ["cut to 4096 tokens"]})))
    with caplog.at_level(logging.WARNING, logger="rag"):
        build(cohere_server).score(QUESTION, TWO)
    assert "cut to 4096 tokens" in caplog.text


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(400, {"message": "bad model"}), ServiceError, ["400", "bad model"]),
        (Fault(403, {"message": "not yours"}), ServiceError, ["403", "not yours", "RAG_RERANKER__API_KEY"]),
        (Fault(404, {"message": "no model"}), ServiceError, ["404", "no model", "model's name and base_url"]),
        (Fault(422, {"message": "unknown field"}), ServiceError, ["422", "unknown field"]),
        (Fault(498, {"message": "blocked"}), ServiceError, ["498", "blocked", "RAG_RERANKER__API_KEY"]),
        (Fault(418, "<html>teapot</html>"), ServiceError, ["418", "teapot"]),
        (Fault(429, {"message": "trial key"}), TransientError, ["429", "trial key", "rate limit"]),
        (Fault(500, {"message": "oops"}), TransientError, ["500", "oops"]),
        (Fault(503, "<html>busy</html>"), TransientError, ["503", "busy"]),
    ],
)
def test_a_refusal_says_why_and_what_to_do(
    cohere_server: CohereServer, fault: Fault, kind: type[ServiceError], words: list[str]
) -> None:
    cohere_server.plan(fault)
    with pytest.raises(ServiceError) as caught:
        build(cohere_server).score(QUESTION, TWO)
    assert type(caught.value) is kind
    assert (caught.value.provider, caught.value.status) == ("Cohere", fault.status)
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_key_is_permanent_and_never_shown(cohere_server: CohereServer) -> None:
    wrong = "wrong-0123456789abcdef"
    with pytest.raises(ServiceError, match="Check the key in RAG_RERANKER__API_KEY") as caught:
        build(cohere_server, api_key=wrong).score(QUESTION, TWO)
    assert type(caught.value) is ServiceError
    assert caught.value.status == 401
    assert wrong not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_the_sdk_itself_tries_nothing_again(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(503, {}, {"retry-after": "7"}))
    with pytest.raises(TransientError) as caught:
        build(cohere_server, retries=2).score(QUESTION, TWO)
    assert len(cohere_server.requests) == 1
    assert caught.value.retry_after == 7


def test_a_redirect_is_not_followed_with_the_key(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(307, {}, {"location": f"{cohere_server.url}/v2/rerank?other"}))
    with pytest.raises(ServiceError, match="which is not followed: set base_url"):
        build(cohere_server).score(QUESTION, TWO)
    assert len(cohere_server.requests) == 1


def test_a_body_without_end_is_not_read_to_its_end(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(200, " " * 9_000_000))
    with pytest.raises(ProtocolError, match="more than 8,000,000 bytes"):
        build(cohere_server).score(QUESTION, TWO)


def test_a_server_that_hangs_is_given_up_in_time(cohere_server: CohereServer) -> None:
    cohere_server.plan(Fault(hang=True))
    with pytest.raises(TransientError, match="Cohere did not answer in time"):
        build(cohere_server, timeout_s=0.2).score(QUESTION, TWO)


def test_a_server_that_is_not_there_is_transient(cohere_server: CohereServer) -> None:
    with pytest.raises(TransientError, match="Cohere cannot be reached"):
        build(cohere_server, base_url="http://127.0.0.1:9").score(QUESTION, TWO)


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CO_API_KEY", "COHERE_API_KEY"])
def test_the_providers_own_key_goes_to_the_provider_alone(
    cohere_server: CohereServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, KEY)
    build(cohere_server, api_key=None, base_url=None)
    with pytest.raises(ConfigError, match="key_env"):
        build(cohere_server, api_key=None)
    assert len(build(cohere_server, api_key=None, key_env=name).score(QUESTION, TWO).values) == 2


def test_the_settings_key_wins_over_the_environments(
    cohere_server: CohereServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CO_API_KEY", "another")
    assert len(build(cohere_server).score(QUESTION, TWO).values) == 2


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="top_n"):
        CohereRerankerSettings.model_validate({"kind": "cohere", "top_n": 3})


def test_the_key_stays_out_of_every_repr(cohere_server: CohereServer) -> None:
    settings = CohereRerankerSettings.model_validate({"kind": "cohere", "api_key": KEY})
    reranker = build(cohere_server)
    assert KEY not in repr([settings, settings.model_dump(), vars(reranker)]) + settings.model_dump_json()


# --- the server enforces the contract ------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "documents", "extra", "status"),
    [
        ("q", [], {}, 400),
        ("q", ["d"] * 1001, {}, 400),
        (" ", ["d"], {}, 400),
        ("q", ["d"], {"top_k": 3}, 422),
        ("q", ["d"], {"return_documents": True}, 422),
    ],
)
def test_the_server_refuses_what_cohere_refuses(
    cohere_server: CohereServer, query: str, documents: list[str], extra: dict[str, object], status: int
) -> None:
    client = cohere.ClientV2(KEY, base_url=cohere_server.url, max_retries=0)
    with client, pytest.raises(ApiError) as caught:
        client.rerank(
            model="m",
            query=query,
            documents=documents,
            request_options={"additional_body_parameters": extra},
        )
    assert caught.value.status_code == status
