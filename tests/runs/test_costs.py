"""What a run would cost, told before it: compared with what it then asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer
from support.servers.rerank_server import RerankServer, Say

from rag import Settings
from rag.errors import ServiceError
from rag.runs.costs import Costs, Leaving, costs_of_run
from rag.runs.run import run

QUESTIONS = ["When does the dome close?", "When is tea served?"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for number in range(7):
        (tmp_path / "documents" / f"{number}.md").write_text(
            f"# Title {number}\n\nThe dome closes at {number}.\n"
        )
    lines = [json.dumps({"_id": str(i), "text": text}) for i, text in enumerate(QUESTIONS)]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    return tmp_path


def settings(folder: Path, server: RerankServer, **sections: Any) -> Settings:
    given: dict[str, Any] = {
        "store": {"path": folder / "index"},
        "embedder": {
            "kind": "http",
            "base_url": f"{server.url}/infinity",
            "dimensions": 8,
            "texts_per_call": 3,
        },
        "reranker": {
            "kind": "cohere",
            "base_url": f"{server.url}/cohere",
            "api_key": KEY,
            "documents_per_call": 4,
            "retries": 0,
        },
        "policy": {"prices": [{"provider": "cohere", "unit": 0.5}]},
        "run": {
            "sources": [folder / "documents"],
            "questions": folder / "questions.jsonl",
            "out": folder / "out",
        },
    }
    return Settings(**(given | sections))


def part(plan: Costs, name: str) -> Leaving:
    return next(part for part in plan.parts if part.part == name)


def test_as_many_calls_are_made_as_were_planned(folder: Path, rerank_server: RerankServer) -> None:
    plan = costs_of_run(settings(folder, rerank_server))
    assert rerank_server.calls == []
    assert (plan.documents, plan.passages, plan.questions) == (7, 7, 2)
    run(settings(folder, rerank_server), "test.yaml")
    made = [call.path for call in rerank_server.calls]
    # A run encodes one more text, to have the model ready.
    assert part(plan, "embedder").calls == made.count("/embeddings") - 1 == 3 + 2
    assert part(plan, "reranker").calls == made.count("/v2/rerank") == 4


def test_the_plans_units_and_money_are_what_is_billed(folder: Path, rerank_server: RerankServer) -> None:
    plan = costs_of_run(settings(folder, rerank_server))
    run(settings(folder, rerank_server), "test.yaml")
    spent = json.loads((folder / "out" / "run.json").read_text())["spent"]["rerank"]
    assert (part(plan, "reranker").units, spent["units"]) == (4, 4)
    assert part(plan, "reranker").cost == plan.cost == spent["cost"] == 2.0
    assert spent["statuses"] == {"ok": 2}


def test_what_a_language_model_has_read_and_written_is_paid_by_the_token(
    folder: Path, rerank_server: RerankServer, openai_server: OpenAIServer
) -> None:
    writer = {"kind": "openai", "base_url": openai_server.base_url, "api_key": KEY, "model": "m"}
    policy = {"prices": [{"provider": "openai", "million_tokens": 1_000_000}]}
    run(settings(folder, rerank_server, generator=writer, policy=policy, reranker={}), "test.yaml")
    paid = json.loads((folder / "out" / "run.json").read_text())["spent"]["generate"]
    assert paid["cost"] == paid["prompt_tokens"] + paid["completion_tokens"] > 0


def test_no_key_stands_in_what_a_run_writes(folder: Path, rerank_server: RerankServer) -> None:
    given = settings(folder, rerank_server)
    run(given, "test.yaml")
    (folder / "out" / "answers.jsonl").unlink()
    rerank_server.plan(None, None, *[Say(500, {"message": f"who is {KEY}?"})] * 2)
    run(given, "test.yaml")
    written = {path.name: path.read_text() for path in (folder / "out").iterdir()}
    assert {"run.json", "answers.jsonl", "report.html"} <= written.keys()
    assert "who is [key]?" in written["answers.jsonl"]
    assert not [name for name, text in written.items() if KEY in text]


def test_the_plan_says_which_text_leaves_and_where_to(folder: Path, rerank_server: RerankServer) -> None:
    plan = costs_of_run(settings(folder, rerank_server))
    assert [(p.part, p.text) for p in plan.parts] == [
        ("embedder", "every passage and every question"),
        ("reranker", "every question with 7 candidates"),
    ]
    assert {p.host for p in plan.parts} == {rerank_server.url.removeprefix("http://")}


def test_a_cascade_sends_only_what_is_passed_on(folder: Path, rerank_server: RerankServer) -> None:
    policy = {"cascade": [{"kind": "late-interaction", "top_k": 2}]}
    plan = costs_of_run(settings(folder, rerank_server, policy=policy))
    assert part(plan, "reranker").text == "every question with 2 candidates"
    assert part(plan, "reranker").calls == 2
    assert plan.cost is None


def test_where_nothing_leaves_the_plan_says_so(folder: Path, rerank_server: RerankServer) -> None:
    local = settings(folder, rerank_server, embedder={}, reranker={})
    assert costs_of_run(local).parts == ()


def test_a_config_without_questions_still_tells_who_would_be_talked_to(
    folder: Path, rerank_server: RerankServer
) -> None:
    plan = costs_of_run(settings(folder, rerank_server, run={}))
    assert [(p.part, p.text, p.calls) for p in plan.parts] == [
        ("embedder", "every question", 0),
        ("reranker", "every question with its candidates", 0),
    ]


def test_a_plan_is_an_estimate_until_the_index_holds_the_files_as_they_are(
    folder: Path, rerank_server: RerankServer
) -> None:
    given = settings(folder, rerank_server)
    assert costs_of_run(given).estimated
    run(given, "test.yaml")
    assert not costs_of_run(given).estimated
    (folder / "documents" / "0.md").write_text("The dome stays open.")
    assert costs_of_run(given).estimated
    (folder / "documents" / "0.md").unlink()
    assert costs_of_run(given).estimated


def test_without_sources_the_index_is_planned_for(folder: Path, rerank_server: RerankServer) -> None:
    assert costs_of_run(settings(folder, rerank_server, run={})).passages == 0
    run(settings(folder, rerank_server), "test.yaml")
    again = costs_of_run(settings(folder, rerank_server, run={"questions": folder / "questions.jsonl"}))
    assert (again.documents, again.passages, part(again, "embedder").calls) == (7, 7, 2)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_run_stops_at_the_first_refusal_that_all_questions_would_meet(
    folder: Path, rerank_server: RerankServer, status: int
) -> None:
    given = settings(folder, rerank_server)
    run(given, "test.yaml")
    (folder / "out" / "answers.jsonl").unlink()
    rerank_server.plan(None, None, *[Say(status, {"message": "not you"})] * 9)
    before = len(rerank_server.calls)
    with pytest.raises(ServiceError, match="not you"):
        run(given, "test.yaml")
    assert len(rerank_server.calls) - before <= 4
    assert json.loads((folder / "out" / "run.json").read_text())["state"] == "running"


def test_what_a_stand_in_has_ranked_gets_another_try(folder: Path, rerank_server: RerankServer) -> None:
    given = settings(folder, rerank_server)
    rerank_server.always = None
    run(given, "test.yaml")
    (folder / "out" / "answers.jsonl").unlink()
    rerank_server.plan(None, None, Say(200, "nonsense"), Say(200, "nonsense"))
    first, again = run(given, "test.yaml"), run(given, "test.yaml")
    assert first.makeshift >= 1
    assert (again.makeshift, again.resumed, again.discarded) == (0, 2 - first.makeshift, 0)


def test_a_run_goes_on_after_a_refusal_of_one_question(folder: Path, rerank_server: RerankServer) -> None:
    voyage = {"kind": "voyage", "base_url": f"{rerank_server.url}/voyage/v1", "api_key": KEY}
    given = settings(folder, rerank_server, reranker=voyage)
    run(given, "test.yaml")
    (folder / "out" / "answers.jsonl").unlink()
    # What makes the model ready, the first question's vector, its reranking.
    rerank_server.plan(None, None, Say(400, {"detail": "too long"}))
    assert (run(given, "test.yaml").failed, run(given, "test.yaml").failed) == (1, 0)
