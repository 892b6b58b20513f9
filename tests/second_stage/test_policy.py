"""The second stage as the config composes it, with a real kind against a server that fails on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from support.builders import RAW, SmallIndex, candidates
from support.places import ROOT
from support.servers.loopback import KEY
from support.servers.rerank_server import Break, Edit, RerankServer, Say, Step

from rag import Settings
from rag.api import Rag
from rag.cli.render import rerank_line
from rag.contract import answer_json
from rag.errors import ConfigError, RagError, ServiceError, TransientError
from rag.parts import HostedModel, Parts
from rag.rerankers import AnyRerankerSettings
from rag.second_stage.policy import PolicySettings, SecondStage, build_second_stage
from rag.second_stage.rank import rerank
from rag.types import Question, RerankTrace

QUESTION = Question("when does the dome close")
FAULTS_PAGE = ROOT / "docs" / "faults.md"
DEADLINE_MS = 400


def stage(
    server: RerankServer, folder: Path, reranker: dict[str, Any] | None = None, **policy: Any
) -> SecondStage:
    given = {"kind": "voyage", "base_url": f"{server.url}/voyage/v1", "api_key": KEY, **(reranker or {})}
    adapter: TypeAdapter[AnyRerankerSettings] = TypeAdapter(AnyRerankerSettings)
    parts = Parts(None, None)  # type: ignore[arg-type]  # nobody here looks at them
    return build_second_stage(
        adapter.validate_python(given), PolicySettings.model_validate(policy), parts, folder
    )


def ask(built: SecondStage, count: int = 5) -> RerankTrace:
    return rerank(built.reranker, RAW, QUESTION, candidates(count), {})[1]


# --- every fault, under every policy -------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """`steps` are met by the first calls, `always` by all that follow."""

    name: str
    steps: Sequence[Step] = ()
    always: Step | None = None


def _rows(change: Any) -> Edit:
    return Edit(lambda answer: {**answer, "data": change(answer["data"])})


QUOTA = {"error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": None}}
FAULTS = (
    Fault("none"),
    Fault("429 once, `Retry-After: 0`", [Say(429, {"detail": "slow down"}, {"retry-after": "0"})]),
    Fault("429, `Retry-After: 60`", always=Say(429, {"detail": "slow down"}, {"retry-after": "60"})),
    Fault("500 once", [Say(500, {"detail": "oops"}, {"retry-after": "0"})]),
    Fault("503 burst", always=Say(503, {"detail": "busy"}, {"retry-after": "0"})),
    Fault("hang before headers", always=Break("hang")),
    Fault("hang mid-body", always=Break("hang-mid-body")),
    Fault("slow drip", always=Break("drip")),
    Fault("connection reset", always=Break("reset")),
    Fault("connection cut", always=Break("cut")),
    Fault("truncated JSON", always=Break("truncated")),
    Fault("HTML instead of JSON", always=Say(200, "<html>Sign in</html>")),
    Fault("empty 200", always=Say(200, "")),
    Fault("50 MB body", always=Break("huge")),
    Fault("wrong index", always=_rows(lambda rows: [{**rows[0], "index": 99}, *rows[1:]])),
    Fault("duplicate index", always=_rows(lambda rows: [rows[1], *rows[1:]])),
    Fault("NaN", always=_rows(lambda rows: [{**rows[0], "relevance_score": float("nan")}, *rows[1:]])),
    Fault("wrong count", always=_rows(lambda rows: rows[1:])),
    Fault("key rejected", always=Say(401, {"detail": "invalid key"})),
    Fault("quota gone", always=Say(429, QUOTA)),
    Fault("redirect", always=Say(307, "", {"location": "http://elsewhere.invalid/"})),
)
POLICIES: dict[str, dict[str, Any]] = {
    "`fallback: []`": {"fallback": []},
    "default": {},
    "`deadline_ms`": {"deadline_ms": DEADLINE_MS},
    "`on_permanent: fallback`": {"on_permanent": "fallback"},
}


def outcome(server: RerankServer, folder: Path, fault: Fault, policy: dict[str, Any]) -> str:
    """Who scored, the status, how many calls it took, and whether that lasted as long as the deadline."""
    server.reset()
    server.plan(*fault.steps)
    server.always = fault.always
    with_deadline = "deadline_ms" in policy
    hangs = fault.always in (Break("hang"), Break("hang-mid-body"), Break("drip"))
    timeout = 0.1 if hangs and not with_deadline else 10
    built = stage(server, folder, {"timeout_s": timeout, "retries": 1}, **policy)
    started = time.monotonic()
    try:
        trace = ask(built)
        said = f"{trace.status}, {trace.kind}"
    except ServiceError as error:
        said = f"{type(error).__name__}"
    seconds = time.monotonic() - started
    calls = f"{len(server.calls)} call" + ("s" if len(server.calls) > 1 else "")
    at = ", at the deadline" if with_deadline and seconds >= DEADLINE_MS / 1000 else ""
    assert seconds < 10, "neither deadline nor timeout held"
    return f"{said}; {calls}{at}"


def test_the_table_of_faults_is_what_happens(rerank_server: RerankServer, tmp_path: Path) -> None:
    rows = [["fault", *POLICIES], ["---"] * (len(POLICIES) + 1)]
    for fault in FAULTS:
        cells = [outcome(rerank_server, tmp_path, fault, policy) for policy in POLICIES.values()]
        rows.append([fault.name, *cells])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    assert table in FAULTS_PAGE.read_text(), f"docs/faults.md should hold:\n{table}"


# --- the deadline --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang", "hang-mid-body", "drip"])
@pytest.mark.parametrize("reranker", [{}, {"kind": "cohere", "base_url": "cohere"}], ids=["http", "sdk"])
def test_what_is_in_by_the_deadline_counts(
    rerank_server: RerankServer, tmp_path: Path, how: Any, reranker: dict[str, Any]
) -> None:
    rerank_server.plan(None, Break(how), None)
    if reranker:
        reranker = reranker | {"base_url": f"{rerank_server.url}/{reranker['base_url']}"}
    built = stage(
        rerank_server, tmp_path, {**reranker, "documents_per_call": 2, "parallel": 1}, deadline_ms=1500
    )
    started = time.monotonic()
    trace = ask(built, count=6)
    assert time.monotonic() - started < 5  # the timeout is 10 s
    assert (trace.status, trace.scored, trace.candidates) == ("late", 2, 6)
    assert trace.reason.endswith("was late, 2 of 6 scored")


@pytest.mark.slow
def test_the_stage_ends_within_50_ms_of_its_deadline(rerank_server: RerankServer, tmp_path: Path) -> None:
    """99 of 100 questions, eight at a time, against a server that hangs. The best of five rounds: a busy
    machine may be late with anything."""
    rerank_server.always = Break("hang")
    built = stage(rerank_server, tmp_path, {"retries": 0}, deadline_ms=200, breaker=0)

    def round_of_questions() -> float:
        taken: list[float] = []

        def some() -> None:
            for _ in range(25):
                started = time.monotonic()
                assert ask(built, 50).status == "late"
                taken.append(time.monotonic() - started)

        threads = [threading.Thread(target=some) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(taken)[int(len(taken) * 0.99) - 1]

    assert any(round_of_questions() < 0.250 for _ in range(5))


def test_abandoned_calls_end_soon_after_the_deadline(rerank_server: RerankServer, tmp_path: Path) -> None:
    before = threading.active_count()
    rerank_server.always = Break("hang")
    built = stage(rerank_server, tmp_path, {"retries": 0}, deadline_ms=100)
    ask(built)
    deadline = time.monotonic() + 5
    ours = [t for t in threading.enumerate() if t.name.startswith("Thread-") and "_work" in t.name]
    for thread in ours:
        thread.join(deadline - time.monotonic())
    assert not any(thread.is_alive() for thread in ours)
    assert threading.active_count() <= before + 1


# --- composition ---------------------------------------------------------------------------


def test_the_breaker_spares_the_next_questions_the_wait(rerank_server: RerankServer, tmp_path: Path) -> None:
    rerank_server.always = Say(500, "", {"retry-after": "0"})
    built = stage(rerank_server, tmp_path, {"retries": 0}, breaker=2)
    for _ in range(4):
        assert ask(built).status == "degraded"
    assert len(rerank_server.calls) == 2
    assert "left alone" in ask(built).reason


def test_scores_are_paid_for_once(rerank_server: RerankServer, tmp_path: Path) -> None:
    prices = [{"provider": "voyage", "million_tokens": 1e6}]
    built = stage(rerank_server, tmp_path, cache=True, prices=prices)
    first, again = ask(built, 5), ask(built, 7)
    assert (first.cached, again.cached) == (0, 5)
    assert first.cost is not None
    assert again.cost is not None
    assert again.cost < first.cost
    assert [len(body["documents"]) for body in rerank_server.asked()] == [5, 2]


def test_nothing_late_or_degraded_gets_into_the_cache(rerank_server: RerankServer, tmp_path: Path) -> None:
    rerank_server.plan(Say(200, "nonsense"))
    built = stage(rerank_server, tmp_path, cache=True)
    assert ask(built).status == "degraded"
    assert (ask(built).status, ask(built).cached) == ("ok", 5)


def test_the_chain_names_who_scored(rerank_server: RerankServer, tmp_path: Path) -> None:
    rerank_server.plan(Say(200, ""))
    other = {"kind": "http", "base_url": f"{rerank_server.url}/infinity", "model": "local"}
    trace = ask(stage(rerank_server, tmp_path, fallback=[other, "none"]))
    assert (trace.kind, trace.model, trace.status) == ("http", "local", "degraded")
    assert "what came is not JSON" in trace.reason
    assert trace.reason.endswith("http local scored instead")


def test_a_cascade_sends_only_the_best_on(rerank_server: RerankServer, tmp_path: Path) -> None:
    first = {"kind": "http", "base_url": f"{rerank_server.url}/infinity", "top_k": 2}
    trace = ask(stage(rerank_server, tmp_path, cascade=[first]))
    assert [len(body["documents"]) for body in rerank_server.asked()] == [5, 2]
    assert (trace.kind, trace.scored, trace.status) == ("voyage", 5, "ok")


def test_limits_are_kept(rerank_server: RerankServer, tmp_path: Path) -> None:
    """Two requests a minute: the third cannot be sent within the deadline."""
    built = stage(
        rerank_server,
        tmp_path,
        {"retries": 0},
        limits=[{"provider": "voyage", "requests": 2}],
        deadline_ms=2000,
    )
    traces = [ask(built) for _ in range(3)]
    assert [trace.status for trace in traces] == ["ok", "ok", "degraded"]
    assert "voyage's limit a minute" in traces[2].reason
    assert len(rerank_server.calls) == 2


def test_a_skipped_question_costs_no_call(rerank_server: RerankServer, tmp_path: Path) -> None:
    trace = ask(stage(rerank_server, tmp_path, skip_when={"candidates": 5}))
    assert (trace.status, trace.kind, rerank_server.calls) == ("skipped", "none", [])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"cascade": ["late-interaction"]}, "top_k"),
        ({"fallback": ["nonesuch"]}, "nonesuch"),
        ({"cache_bytes": 5}, "cache_bytes"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"limits": [{"provider": "Cohere", "requests": 3}]}, "cohere, http, jina, openai, together, voyage"),
        ({"prices": [{"provider": "voyag"}]}, "there is no provider 'voyag'"),
        ({"skip_when": {"few": 3}}, "few"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PolicySettings.model_validate(policy)


def test_the_models_own_price_goes_before_the_providers() -> None:
    lines = [{"provider": "voyage", "unit": 1}, {"provider": "voyage", "model": "m", "unit": 2}]
    policy = PolicySettings.model_validate({"prices": lines})
    asked = [("voyage", "m"), ("voyage", "x"), ("jina", "m")]
    found = [policy.price(HostedModel(model, "h", provider)) for provider, model in asked]
    assert [price and price.unit for price in found] == [2, 1, None]


# --- in the whole product ------------------------------------------------------------------


TEXTS = {
    "dome.md": "The dome closes when the wind gusts above 21 metres a second.",
    "tea.md": "Tea is served at four in the library.",
    "pump.md": "The pump is started with the green lever.",
}


@pytest.fixture
def configured(tmp_path: Path, rerank_server: RerankServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAG_RERANKER__API_KEY", KEY)
    documents = tmp_path / "documents"
    documents.mkdir()
    for name, text in TEXTS.items():
        (documents / name).write_text(text)
    config = tmp_path / "config.yaml"
    config.write_text(
        f"store: {{path: {tmp_path / 'index'}}}\n"
        f"reranker: {{kind: voyage, base_url: '{rerank_server.url}/voyage/v1', retries: 0}}\n"
        "policy: {cache: true}\n"
    )
    Rag(Settings.load(config)).ingest(documents)
    return config


def test_an_answer_says_who_ranked_and_why(configured: Path, rerank_server: RerankServer) -> None:
    rag = Rag(Settings.load(configured))
    rerank_server.plan(Say(503, {"detail": "busy"}))
    degraded, fine = rag.search("When does the dome close?"), rag.search("When does the dome close?")
    assert degraded.trace.rerank is not None
    assert (degraded.trace.rerank.kind, degraded.trace.rerank.status) == ("none", "degraded")
    assert rerank_line(degraded.trace.rerank) == (
        "reranker none: degraded (Voyage refused with status 503: busy; the first stage's order stands)"
    )
    assert {row.scored_by for row in degraded.trace.candidates} == {"none"}
    assert fine.trace.rerank is not None
    assert (fine.trace.rerank.kind, fine.trace.rerank.status) == ("voyage", "ok")
    assert {row.scored_by for row in fine.trace.candidates} == {"voyage"}


def test_sixteen_threads_over_one_pipeline_do_not_mix_their_answers(
    configured: Path, rerank_server: RerankServer
) -> None:
    rag = Rag(Settings.load(configured))
    questions = ["When does the dome close?", "When is tea served?", "How is the pump started?"]
    rerank_server.plan(*[Say(503, ""), None, None] * 4)
    expected = ["dome.md", "tea.md", "pump.md"]
    wrong: list[str] = []

    def some(place: int) -> None:
        for turn in range(6):
            number = (place + turn) % 3
            found = rag.search(questions[number])
            if not found.passages[0].chunk.source.endswith(expected[number]):
                wrong.append(f"{questions[number]}: {found.passages[0].chunk.source}")

    rag.search(questions[0])
    threads = [threading.Thread(target=some, args=(place,)) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_key_in_anything_that_is_written_or_said(
    configured: Path, rerank_server: RerankServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rag = Rag(Settings.load(configured))
    said: list[str] = []
    for step in (Say(503, {"detail": f"for {KEY}"}), Say(200, f'{{"echo": "{KEY}"}}'), Say(200, KEY), None):
        rerank_server.plan(step)
        said.append(json.dumps(answer_json(rag.ask("When does the dome close?"))))
    rerank_server.plan(Say(401, {"detail": f"wrong key {KEY}"}))
    with pytest.raises(RagError) as caught:
        rag.ask("When is tea served?")
    said += [str(caught.value), repr(asdict(rag.pipeline.rule)), caplog.text]
    written = b"".join(f.read_bytes() for f in (tmp_path / "index").rglob("*") if f.is_file())
    assert "[key]" in str(caught.value)
    assert KEY not in "".join(said)
    assert KEY.encode() not in written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reranker: {kind: voyage}", "reranker voyage would talk to api.voyageai.com"),
        ("policy: {fallback: [{kind: http, base_url: 'http://127.0.0.1:9'}]}", r"policy.fallback\[0\] http"),
        ("policy: {cascade: [{kind: cohere, top_k: 9}]}", r"policy.cascade\[0\] cohere"),
        ("generator: {kind: openai}", "generator openai would talk to api.openai.com"),
        ("embedder: {kind: openai}", "embedder openai"),
        ("retriever: {kind: knowledgesdk}", "retriever knowledgesdk would talk to api.knowledgesdk.com"),
        ("store: {kind: server}", "store server would talk to 127.0.0.1:8000"),
        ("store: {kind: cloud, tenant: t, database: d}", "Chroma Cloud"),
    ],
)
def test_offline_refuses_whatever_would_open_a_socket(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"{text}\nnetwork: {{offline: true}}\n")
    with pytest.raises(ConfigError, match=said):
        Rag(Settings.load(config))


def test_offline_is_no_hindrance_to_local_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_NETWORK__OFFLINE", "true")
    settings = Settings.load(ROOT / "configs" / "handbook.yaml")
    Rag(settings)


def test_a_passing_failure_without_a_fallback_is_raised(rerank_server: RerankServer, tmp_path: Path) -> None:
    rerank_server.plan(Say(503, ""))
    with pytest.raises(TransientError):
        ask(stage(rerank_server, tmp_path, {"retries": 0}, fallback=[]))


def test_a_stand_in_ranks_and_refuses_as_it_would_alone(
    configured: Path, rerank_server: RerankServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own calibration, its own threshold: the answers are those of a config that names it."""
    standing_in = tmp_path / "standing-in.yaml"
    standing_in.write_text(configured.read_text().replace("cache: true", "fallback: [late-interaction]"))
    chained = Rag(Settings.load(standing_in))
    monkeypatch.delenv("RAG_RERANKER__API_KEY")
    alone = Rag(Settings(store={"path": tmp_path / "index"}))  # type: ignore[arg-type]  # pydantic validates
    rerank_server.always = Say(503, "")
    for question in ("When does the dome close?", "Who won the chess world championship in 1985?"):
        theirs, ours = chained.search(question), alone.search(question)
        assert theirs.trace.rerank is not None
        assert (theirs.trace.rerank.kind, theirs.trace.rerank.status) == ("late-interaction", "degraded")
        assert [(p.chunk.id, p.relevance) for p in theirs.passages] == [
            (p.chunk.id, p.relevance) for p in ours.passages
        ]
        assert [row.reason for row in theirs.trace.candidates] == [
            row.reason for row in ours.trace.candidates
        ]


def test_one_calibration_each(tmp_path: Path) -> None:
    """What stands in brings its own scale and threshold."""
    texts = {"dome.md": "The dome closes.", "tea.md": "Tea is served."}
    small = SmallIndex(tmp_path, texts)
    config = {
        "reranker": {"kind": "late-interaction", "threshold": 0.25},
        "policy": {"fallback": [{"kind": "none", "threshold": 0.5}]},
        "store": {"path": tmp_path / "index"},
    }
    del small
    rag = Rag(Settings(**config))  # type: ignore[arg-type]  # pydantic validates
    scales = rag.assembly.second_stage.members
    assert [(member.card.kind, member.settings.threshold) for member in scales] == [
        ("late-interaction", 0.25),
        ("none", 0.5),
    ]
