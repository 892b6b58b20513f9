"""One contract over every hosted reranker: what it asks, what it makes of the answer, what it refuses."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from support.asked import QUESTION, TEXTS, candidates
from support.servers.cohere_server import overlap
from support.servers.loopback import KEY
from support.servers.rerank_server import Break, Edit, RerankServer, Say, logit

from rag.errors import ConfigError, InputError, ProtocolError, ServiceError, TransientError
from rag.parts import Parts
from rag.protocols import Reranker
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.http import HttpRerankerSettings
from rag.second_stage.guards.deadline import Batches
from rag.services.http import certificates, retry_after
from rag.types import Question, RerankerCard


@dataclass(frozen=True)
class Kind:
    """How a kind is configured for the loopback server, and the scale of its scores there."""

    prefix: str
    settings: dict[str, Any]
    scale: Callable[[float], float] = float
    name: str = ""
    rows: str = "results"
    score: str = "relevance_score"


def squashed(score: float) -> float:
    """What the http kind makes of a probability."""
    clipped = min(max(score, 1e-7), 1 - 1e-7)
    return math.log(clipped / (1 - clipped))


KINDS = {
    "cohere": Kind("cohere", {"kind": "cohere"}, name="Cohere"),
    "voyage": Kind("voyage/v1", {"kind": "voyage"}, name="Voyage", rows="data"),
    "jina": Kind("jina/v1", {"kind": "jina"}, name="Jina"),
    "together": Kind("together/v1", {"kind": "together"}, lambda score: 0.3 * score, name="Together"),
    "infinity": Kind("infinity", {"kind": "http", "shape": "jina"}, squashed),
    "litellm": Kind("litellm/v2", {"kind": "http", "shape": "cohere", "model": "m"}, squashed),
    "tei": Kind("tei", {"kind": "http", "shape": "tei"}, logit, rows="", score="score"),
    "llamacpp": Kind("llamacpp/v1", {"kind": "http", "shape": "llamacpp"}, logit),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def parsed(kind: Kind, server: RerankServer, **settings: Any) -> AnyRerankerSettings:
    given = {"base_url": f"{server.url}/{kind.prefix}", "api_key": KEY, **kind.settings, **settings}
    adapter: TypeAdapter[AnyRerankerSettings] = TypeAdapter(AnyRerankerSettings)
    return adapter.validate_python(given)


def build(kind: Kind, server: RerankServer, **settings: Any) -> Reranker:
    return parsed(kind, server, **settings).build(Parts(None, None))  # type: ignore[arg-type]  # none looks at them


# --- scores --------------------------------------------------------------------------------


@every_kind
def test_scores_come_back_in_the_order_given(rerank_server: RerankServer, kind: Kind) -> None:
    scores = build(kind, rerank_server).score(QUESTION, candidates(*TEXTS))
    assert list(scores.values) == [
        pytest.approx(kind.scale(overlap(QUESTION.text, text)), abs=1e-4) for text in TEXTS
    ]
    assert {type(value) for value in scores.values} == {float}


@every_kind
def test_no_candidates_cost_no_call(rerank_server: RerankServer, kind: Kind) -> None:
    assert build(kind, rerank_server).score(QUESTION, []).values == ()
    assert rerank_server.calls == []


@every_kind
def test_an_empty_question_is_refused_before_it_is_sent(rerank_server: RerankServer, kind: Kind) -> None:
    with pytest.raises(InputError, match="empty question"):
        build(kind, rerank_server).score(Question(" "), candidates(*TEXTS))
    assert rerank_server.calls == []


@every_kind
def test_two_hundred_documents_are_scored_alike_in_one_call_and_in_many(
    rerank_server: RerankServer, kind: Kind
) -> None:
    words = QUESTION.text.split()
    given = candidates(*(f"{' '.join(words[: n % 6])} {n}" for n in range(200)))
    size = parsed(kind, rerank_server).call_style().size
    assert size is not None
    split = Batches(build(kind, rerank_server), min(size, 30), parallel=3).score(QUESTION, given)
    assert len(rerank_server.calls) == 7
    if size >= 200:
        whole = build(kind, rerank_server).score(QUESTION, given)
        assert split.values == whole.values
    assert len(split.values) == 200


@every_kind
def test_the_named_fields_are_what_is_ranked(rerank_server: RerankServer, kind: Kind) -> None:
    given = [
        *candidates("nothing of it", title="when does the dome close"),
        *candidates("the dome", title="soup"),
    ]
    by_title = build(kind, rerank_server, fields=("title",)).score(QUESTION, given).values
    assert by_title[0] > by_title[1]
    by_text = build(kind, rerank_server, fields=("text",)).score(QUESTION, given).values
    assert by_text[0] < by_text[1]


@every_kind
def test_half_a_character_and_a_passage_without_words_are_sent_as_well_as_can_be(
    rerank_server: RerankServer, kind: Kind
) -> None:
    scores = build(kind, rerank_server).score(QUESTION, candidates("the dome \ud800 closes", "…", "dome"))
    assert len(scores.values) == 3


# --- an answer is not to be trusted --------------------------------------------------------


def spoil(kind: Kind, change: Callable[[list[dict[str, Any]]], object]) -> Edit:
    """The rows of the right answer, changed."""

    def edit(answer: Any) -> object:
        rows = answer if kind.rows == "" else answer[kind.rows]
        changed = change([dict(row) for row in rows])
        return changed if kind.rows == "" else {**answer, kind.rows: changed}

    return Edit(edit)


SPOILT: dict[str, Callable[[list[dict[str, Any]], str], object]] = {
    "a row is missing": lambda rows, score: rows[1:],
    "an index is missing": lambda rows, score: [{score: 0.5}, *rows[1:]],
    "an index comes twice": lambda rows, score: [rows[1], *rows[1:]],
    "a row too many": lambda rows, score: [*rows, rows[0]],
    "an index out of range": lambda rows, score: [{**rows[0], "index": 99}, *rows[1:]],
    "a negative index": lambda rows, score: [{**rows[0], "index": -1}, *rows[1:]],
    "an index as text": lambda rows, score: [{**rows[0], "index": "0"}, *rows[1:]],
    "an index that is a truth value": lambda rows, score: [{**rows[0], "index": True}, *rows[1:]],
    "a score that is no number": lambda rows, score: [{**rows[0], score: float("nan")}, *rows[1:]],
    "an endless score": lambda rows, score: [{**rows[0], score: float("inf")}, *rows[1:]],
    "a score as text": lambda rows, score: [{**rows[0], score: "0.5"}, *rows[1:]],
    "no score": lambda rows, score: [{"index": 0}, *rows[1:]],
    "no rows": lambda rows, score: [],
    "null for rows": lambda rows, score: None,
    "rows that are numbers": lambda rows, score: [1, 2, 3, 4, 5],
}


@every_kind
@pytest.mark.parametrize("fault", SPOILT)
def test_a_reply_against_the_contract_is_a_protocol_error(
    rerank_server: RerankServer, kind: Kind, fault: str
) -> None:
    rerank_server.plan(spoil(kind, lambda rows: SPOILT[fault](rows, kind.score)))
    with pytest.raises(ProtocolError, match="answered against its contract") as caught:
        build(kind, rerank_server).score(QUESTION, candidates(*TEXTS))
    assert kind.name in caught.value.provider


@every_kind
@pytest.mark.parametrize(
    "step",
    [
        Say(200, "<html>Welcome to the proxy</html>", {"content-type": "text/html"}),
        Say(200, ""),
        Say(200, "null"),
        Say(200, "[" * 100_000),
        Say(200, '{"results": [{"index": 0, "relevance_score": 1e999}]}'),
        Break("truncated"),
        Break("huge"),
        Break("compressed"),
    ],
    ids=["html", "empty", "null", "deep", "too large a number", "truncated", "50 MB", "compressed"],
)
def test_what_is_no_answer_at_all_is_a_protocol_error(
    rerank_server: RerankServer, kind: Kind, step: Say | Break
) -> None:
    rerank_server.plan(step)
    with pytest.raises(ProtocolError):
        build(kind, rerank_server).score(QUESTION, candidates(*TEXTS))


@pytest.mark.parametrize("how", ["reset", "cut", "hang", "hang-mid-body", "drip"])
@pytest.mark.parametrize("name", ["cohere", "voyage"])
def test_a_connection_that_fails_is_a_failure_that_may_pass(
    rerank_server: RerankServer, name: str, how: Any
) -> None:
    """By the SDK and by our own client, on which all others run."""
    rerank_server.plan(Break(how))
    with pytest.raises(TransientError) as caught:
        build(KINDS[name], rerank_server, timeout_s=0.2).score(QUESTION, candidates(*TEXTS))
    said = "cannot be reached" if how in ("reset", "cut") else "did not answer in time"
    assert said in str(caught.value)


def test_the_request_that_went_wrong_is_named(rerank_server: RerankServer) -> None:
    rerank_server.plan(Say(200, "<html>", {"x-request-id": "req-4711"}))
    with pytest.raises(ProtocolError, match="request req-4711"):
        build(KINDS["voyage"], rerank_server).score(QUESTION, candidates(*TEXTS))


def test_an_error_that_passes_for_an_answer_is_quoted(rerank_server: RerankServer) -> None:
    rerank_server.plan(Say(200, {"error": {"message": "the model is asleep"}}))
    with pytest.raises(ProtocolError, match="it says: the model is asleep"):
        build(KINDS["voyage"], rerank_server).score(QUESTION, candidates(*TEXTS))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_in_any_spelling(given: dict[str, str], seconds: float | None) -> None:
    assert retry_after(given) == seconds


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/nowhere.pem")]
)
def test_an_environment_that_cannot_be_used_is_told_when_the_part_is_built(
    rerank_server: RerankServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    certificates.cache_clear()
    try:
        with pytest.raises(ConfigError, match=name):
            build(KINDS["voyage"], rerank_server)
    finally:
        certificates.cache_clear()


def test_fields_that_are_not_known_yet_and_echoed_documents_are_ignored(rerank_server: RerankServer) -> None:
    rerank_server.plan(
        spoil(KINDS["jina"], lambda rows: [{**row, "document": "echo", "new": 1} for row in rows])
    )
    assert len(build(KINDS["jina"], rerank_server).score(QUESTION, candidates(*TEXTS)).values) == 5


# --- refusals ------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, ServiceError), (403, ServiceError), (404, ServiceError), (422, ServiceError), (307, ServiceError)]
    + [(status, TransientError) for status in (408, 429, 500, 502, 503, 504)],
)
def test_a_refusal_is_permanent_or_may_pass(
    rerank_server: RerankServer, kind: Kind, status: int, expected: type[ServiceError]
) -> None:
    rerank_server.plan(
        Say(status, {"detail": "no such luck", "message": "no such luck"}, {"location": "http://x"})
    )
    with pytest.raises(ServiceError, match="no such luck" if status != 307 else "redirects to") as caught:
        build(kind, rerank_server).score(QUESTION, candidates(*TEXTS))
    assert type(caught.value) is expected
    assert caught.value.status == status
    assert len(rerank_server.calls) == 1


@every_kind
def test_a_wrong_key_is_permanent_named_and_never_shown(rerank_server: RerankServer, kind: Kind) -> None:
    wrong = "wrong-0123456789abcdef"
    with pytest.raises(ServiceError, match="Check the key in RAG_RERANKER__API_KEY") as caught:
        build(kind, rerank_server, api_key=wrong).score(QUESTION, candidates(*TEXTS))
    assert type(caught.value) is ServiceError
    assert caught.value.hopeless
    assert wrong not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_a_server_of_ones_own_needs_no_key_and_is_sent_none(rerank_server: RerankServer) -> None:
    build(KINDS["infinity"], rerank_server, api_key=None).score(QUESTION, candidates(*TEXTS))
    assert "authorization" not in rerank_server.calls[0].headers


def test_a_key_in_a_named_variable_is_sent(
    rerank_server: RerankServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_VOYAGE", f" {KEY}\n")
    build(KINDS["voyage"], rerank_server, api_key=None, key_env="MY_VOYAGE").score(QUESTION, candidates("a"))
    assert rerank_server.calls[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_environments_proxy_is_used(rerank_server: RerankServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", rerank_server.url)
    kind = replace(KINDS["infinity"], settings={"kind": "http", "shape": "jina"})
    reranker = build(kind, rerank_server, base_url="http://reranker.invalid/infinity")
    assert len(reranker.score(QUESTION, candidates("a")).values) == 1
    assert rerank_server.calls[0].headers["host"] == "reranker.invalid"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_the_environments_certificates_are_trusted_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        [*made, "-keyout", key, "-out", certificate, "-days", "2", *named], check=True, capture_output=True
    )
    secure = RerankServer(certificate, key)
    with secure.serving():
        certificates.cache_clear()
        try:
            with pytest.raises(TransientError, match="certificate"):
                build(KINDS["infinity"], secure).score(QUESTION, candidates("a"))
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            certificates.cache_clear()
            assert len(build(KINDS["infinity"], secure).score(QUESTION, candidates("a")).values) == 1
        finally:
            certificates.cache_clear()


# --- what is peculiar ----------------------------------------------------------------------


def test_voyage_is_asked_in_its_own_words(rerank_server: RerankServer) -> None:
    scores = build(KINDS["voyage"], rerank_server).score(QUESTION, candidates("one", "two"))
    assert rerank_server.asked() == [
        {"model": "rerank-2.5", "query": QUESTION.text, "documents": ["one", "two"], "truncation": True}
    ]
    assert scores.tokens > 0


def test_together_gets_its_rank_fields(rerank_server: RerankServer) -> None:
    given = candidates("it rains", title="Weather")
    build(KINDS["together"], rerank_server, fields=("title", "text")).score(QUESTION, given)
    (body,) = rerank_server.asked()
    assert body["rank_fields"] == ["title", "text"]
    assert body["documents"] == [{"title": "Weather", "text": "it rains"}]


def test_a_document_without_the_named_fields_is_read_as_it_was_embedded(rerank_server: RerankServer) -> None:
    given = candidates("it rains")
    build(KINDS["together"], rerank_server, fields=("author",)).score(QUESTION, given)
    assert rerank_server.asked()[0]["documents"] == [{"author": "", "text": "it rains"}]


@pytest.mark.parametrize(
    ("model", "listwise", "size"),
    [
        ("jina-reranker-v2-base-multilingual", None, 500),
        ("jina-reranker-m0", None, 500),
        ("jina-reranker-v3", None, None),
        ("jina-reranker-v9", None, None),
        ("jina-reranker-v9", False, 500),
        ("jina-reranker-m0", True, None),
    ],
)
def test_a_model_that_may_be_listwise_is_not_split(
    rerank_server: RerankServer, model: str, listwise: bool | None, size: int | None
) -> None:
    style = parsed(KINDS["jina"], rerank_server, model=model, listwise=listwise).call_style()
    assert (style.size, style.listwise) == (size, size is None)


def test_a_listwise_list_that_is_too_long_is_refused_not_split(rerank_server: RerankServer) -> None:
    reranker = build(KINDS["jina"], rerank_server, model="jina-reranker-v3", documents_per_call=4)
    with pytest.raises(InputError, match=r"listwise and gets at most 4 .* retriever\.top_n"):
        reranker.score(QUESTION, candidates(*TEXTS))
    assert rerank_server.calls == []


def test_raw_logits_are_not_taken_for_probabilities(rerank_server: RerankServer) -> None:
    with pytest.raises(ProtocolError, match=r"no probability: set reranker\.scores to logit"):
        build(KINDS["llamacpp"], rerank_server, scores="probability").score(QUESTION, candidates(*TEXTS))


def test_a_pair_beyond_llamacpps_batch_is_permanent_and_told_with_its_remedy(
    rerank_server: RerankServer,
) -> None:
    reranker = build(KINDS["llamacpp"], rerank_server, window=4096)
    with pytest.raises(ServiceError, match="with a larger batch") as caught:
        reranker.score(QUESTION, candidates("dome " * 1000))
    assert type(caught.value) is ServiceError
    assert not caught.value.hopeless


def test_llamacpps_window_is_kept_and_the_cut_confessed(rerank_server: RerankServer) -> None:
    scores = build(KINDS["llamacpp"], rerank_server).score(QUESTION, candidates("dome " * 1000, "short"))
    assert scores.truncated == 1
    assert [len(text) for text in rerank_server.asked()[0]["documents"]] == [1512, 5]


def test_a_question_that_fills_the_window_is_refused(rerank_server: RerankServer) -> None:
    with pytest.raises(InputError, match=r"reranker\.window 512"):
        build(KINDS["llamacpp"], rerank_server).score(Question("dome " * 400), candidates("short"))


@pytest.mark.parametrize(
    "address", ["http://user:secret@host/v1", "http://host/v1?key=secret", "ftp://host", "host", "http://a b"]
)
def test_an_address_with_a_password_or_a_query_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        HttpRerankerSettings(kind="http", base_url=address)


def test_the_card_is_the_key_of_its_calibration(rerank_server: RerankServer) -> None:
    assert build(KINDS["voyage"], rerank_server).card == RerankerCard("voyage", "rerank-2.5")
    assert json.loads(parsed(KINDS["voyage"], rerank_server).identity()).keys() >= {
        "kind",
        "model",
        "base_url",
    }
    assert KEY not in parsed(KINDS["voyage"], rerank_server).identity()
