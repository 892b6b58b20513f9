"""The commands that measure: their output for people and machines, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Run
from support.places import ROOT

QUESTIONS = ROOT / "data" / "questions"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_eval_prints_one_document_and_leaves_a_report(run: Run, config: Path, here: Path) -> None:
    done = run("eval", config, QUESTIONS, "--sample", "6", "--json")
    assert (done.code, done.err) == (0, "")
    assert {"dataset", "questions", "before", "after", "answers", "latency_ms", "cost"} <= done.json.keys()
    assert (done.json["dataset"], done.json["questions"]) == ("questions", 6)
    folder = here / "runs" / "eval" / "questions" / "handbook"
    names = {"answers.jsonl", "questions.jsonl", "before.trec", "after.trec", "report.html", "run.json"}
    assert names <= {path.name for path in folder.iterdir()}
    told = run("eval", config, QUESTIONS, "--sample", "6")
    assert told.code == 0
    for name, value in done.json["after"].items():
        assert f"{value:.3f}" in next(row for row in told.out.splitlines() if row.strip().startswith(name))
    assert done.json["verdict"]["text"] in told.out
    html = (folder / "report.html").read_text()
    assert f"{done.json['after']['ndcg@10']:.3f}" in html


def test_eval_with_a_failed_question_ends_with_1_and_says_so(run: Run, config: Path, here: Path) -> None:
    path = here / "mine.jsonl"
    rows = [{"_id": "1", "text": "Where is the tea?", "relevant": ["kitchen/meals-and-kitchen.md"]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"_id": "2", "text": "?!"}]))
    done = run("eval", config, path, "--no-answers")
    assert done.code == 1
    assert "1 questions failed" in done.out


def test_compare_prints_a_verdict_for_people_and_machines(run: Run, config: Path, here: Path) -> None:
    other = here / "none.yaml"
    other.write_text(config.read_text().replace("{top_k: 2}", "{kind: none}"))
    files = (config, other, QUESTIONS)
    done = run("compare", *files, "--sample", "6", "--no-answers", "--json")
    assert (done.code, done.err) == (0, "")
    assert {"dataset", "questions", "metric", "verdict", "arms", "comparisons", "refused"} <= done.json.keys()
    assert [arm["config"] for arm in done.json["arms"]] == [str(config), str(other)]
    assert (here / "runs" / "compare" / "questions" / "report.html").exists()
    told = run("compare", *files, "--sample", "6", "--no-answers")
    assert done.json["verdict"]["text"] in told.out
    assert "win / tie / loss" in told.out


def test_compare_needs_two_configs_and_a_dataset(run: Run, config: Path, here: Path) -> None:
    done = run("compare", config, QUESTIONS, "--json")
    assert done.code == 1
    assert "rag compare A B DATASET" in done.json["error"]["message"]


def test_calibrate_writes_the_file_and_how_to_use_it(run: Run, config: Path, here: Path) -> None:
    done = run("calibrate", config, QUESTIONS, "--sample", "45", "--out", "c.yaml", "--json")
    assert (done.code, done.err) == (0, "")
    assert {"before", "after", "chosen", "tried", "threshold", "path"} <= done.json.keys()
    assert (here / "c.yaml").exists()
    told = run("calibrate", config, QUESTIONS, "--sample", "45", "--out", "c.yaml")
    assert "reranker: {calibration: c.yaml}" in told.out
    assert done.json["threshold"]["text"] in told.out
    refused = run("calibrate", config, QUESTIONS, "--precision", "0.9", "--false-answers", "0.1", "--json")
    assert "choose one" in refused.json["error"]["message"]


def test_questions_drafts_a_file_to_review(run: Run, config: Path, here: Path) -> None:
    done = run("questions", config, "--count", "4", "--json")
    assert (done.code, done.json["questions"], done.json["path"]) == (0, 4, "questions.jsonl")
    assert len((here / "questions.jsonl").read_text().splitlines()) == 4
    assert "Review them" in run("questions", config, "--count", "4", "--out", "more.jsonl").out
    assert "name another --out" in run("questions", config, "--count", "4").err


def test_tune_refuses_a_handful_of_questions_in_one_line(run: Run, config: Path, here: Path) -> None:
    done = run("tune", config, QUESTIONS, "--budget-ms", "100", "--sample", "10", "--json")
    assert done.code == 1
    assert "tuning needs 20 labelled questions" in done.json["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [("eval",), ("eval", "a.yaml"), ("tune", "a.yaml", "data"), ("eval", "a.yaml", "d", "--sample", "0")],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2
