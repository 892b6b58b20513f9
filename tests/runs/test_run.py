"""A run leaves answers, a record and a report; stopped anywhere, it goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from rag import ConfigError, InputError, LockedError, Settings
from rag.protocols import silent
from rag.runs.run import RunSummary, run

DOCUMENTS = {
    "pump.md": "# Pump\n\nThe pump P-7 is started with the green lever on the left wall of the cellar.\n",
    "roof.md": "# Roof\n\nThe roof closes by itself when the wind gusts above 21 metres a second.\n",
    "tea.md": "# Tea\n\nTea is served at four in the library, with biscuits on Sundays.\n",
}
QUESTIONS: list[dict[str, Any]] = [
    {"_id": "q1", "text": "How is the pump P-7 started?", "answer": "the green lever", "answerable": True},
    {"_id": "q2", "text": "When does the roof close?"},
    {"_id": "q3", "text": "When is tea served?"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "documents" / name).write_text(text)
    ask(tmp_path, QUESTIONS)
    return tmp_path


def ask(folder: Path, questions: list[dict[str, Any]]) -> None:
    (folder / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))


def settings(folder: Path, **sections: Any) -> Settings:
    where = {
        "sources": [folder / "documents"],
        "questions": folder / "questions.jsonl",
        "out": folder / "out",
    }
    return Settings(
        **{"store": {"path": folder / "index"}, **sections, "run": {**where, **sections.get("run", {})}}
    )


def go(folder: Path, **sections: Any) -> RunSummary:
    return run(settings(folder, **sections), "test.yaml", silent)


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / "answers.jsonl").read_text().splitlines()]


def record(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "out" / "run.json").read_text())
    return loaded


class Stop(BaseException):
    """What a kill looks like from inside: nothing of ours may catch it."""


def stop_after(number: int) -> Any:
    def progress(stage: str, done: int, total: int) -> None:
        if stage == "ask" and done == number:
            raise Stop

    return progress


# --- what it writes ------------------------------------------------------------------------


def test_every_question_gets_its_line_in_order(folder: Path) -> None:
    summary = go(folder)
    lines = answers(folder)
    assert [line["_id"] for line in lines] == ["q1", "q2", "q3"]
    assert "green lever" in lines[0]["text"]
    assert lines[0]["citations"][0]["source"].endswith("pump.md")
    assert (summary.questions, summary.failed, summary.resumed, summary.discarded) == (3, 0, 0, 0)
    assert summary.found + summary.not_found == 3


def test_the_record_says_what_made_the_answers(folder: Path) -> None:
    go(folder)
    made_by = record(folder)
    assert made_by["state"] == "finished"
    assert made_by["settings"]["reranker"]["kind"] == "late-interaction"
    assert made_by["models"]["embedder"]["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert made_by["models"]["embedder"]["revision"]
    assert made_by["models"]["calibration"]["name"]
    assert made_by["index"]["documents"] == 3
    assert made_by["index"]["fingerprint"].startswith("sentence-transformers/")
    assert {"rag", "chromadb", "torch", "tantivy", "sentence-transformers"} <= made_by["versions"].keys()
    assert made_by["ingest"]["new"] == 3
    assert {"encode", "retrieve", "rerank", "total"} <= made_by["milliseconds"].keys()
    assert all(taken["p50"] <= taken["p95"] for taken in made_by["milliseconds"].values())


def test_no_secret_reaches_the_folder(folder: Path) -> None:
    server = {"kind": "openai", "base_url": "http://127.0.0.1:9", "api_key": "sk-hush", "retries": 0}
    summary = go(folder, generator=server)
    assert summary.failed == 3
    written = [path.read_text() for path in (folder / "out").iterdir()]
    assert written
    assert not any("sk-hush" in text for text in written)


def test_the_summary_is_plain_values(folder: Path) -> None:
    assert json.loads(json.dumps(asdict(go(folder))))["out"] == str(folder / "out")


# --- stopped, and run again ----------------------------------------------------------------


def test_a_stopped_run_goes_on_where_it_was(folder: Path) -> None:
    with pytest.raises(Stop):
        run(settings(folder), "test.yaml", stop_after(2))
    before = answers(folder)
    assert [line["_id"] for line in before] == ["q1", "q2"]
    assert record(folder)["state"] == "running"
    summary = go(folder)
    assert summary.resumed == 2
    assert answers(folder)[:2] == before
    assert [line["_id"] for line in answers(folder)] == ["q1", "q2", "q3"]


def test_a_torn_last_line_is_asked_again(folder: Path) -> None:
    go(folder)
    path = folder / "out" / "answers.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert go(folder).resumed == 2
    assert [line["_id"] for line in answers(folder)] == ["q1", "q2", "q3"]


def test_a_finished_run_is_not_asked_again(folder: Path) -> None:
    go(folder)
    before = answers(folder)
    assert go(folder).resumed == 3
    assert answers(folder) == before


@pytest.mark.parametrize("change", ["setting", "document", "question"])
def test_what_bears_on_an_answer_starts_it_over(folder: Path, change: str) -> None:
    go(folder)
    if change == "document":
        (folder / "documents" / "tea.md").write_text("# Tea\n\nTea is served at five.\n")
    if change == "question":
        ask(folder, [*QUESTIONS[:2], {"_id": "q3", "text": "Where is tea served?"}])
    summary = go(folder, **({"reranker": {"top_k": 1}} if change == "setting" else {}))
    assert (summary.resumed, summary.discarded) == (0, 3)
    assert len(answers(folder)) == 3


def test_how_fast_it_went_bears_on_no_answer(folder: Path) -> None:
    go(folder)
    assert go(folder, embedder={"batch_tokens": 512}).resumed == 3


def test_a_failed_question_is_noted_and_the_others_asked(folder: Path) -> None:
    ask(folder, [QUESTIONS[0], {"_id": "bad", "text": "?!"}, QUESTIONS[2]])
    summary = go(folder)
    assert (summary.questions, summary.failed) == (3, 1)
    failed = answers(folder)[1]
    assert failed == {"_id": "bad", "question": "?!", "error": failed["error"]}
    assert failed["error"]["type"] == "InputError"
    assert "the question is empty" in (folder / "out" / "report.html").read_text()


def test_a_failed_question_gets_another_try(folder: Path) -> None:
    ask(folder, [{"_id": "bad", "text": "?!"}, QUESTIONS[2]])
    go(folder)
    summary = go(folder)
    assert (summary.resumed, summary.failed) == (1, 1)
    assert [line["_id"] for line in answers(folder)] == ["bad", "q3"]


def test_two_runs_do_not_write_into_one_folder(folder: Path) -> None:
    (folder / "out").mkdir()
    with FileLock(folder / "out" / "run.lock"), pytest.raises(LockedError, match=r"run\.out"):
        go(folder)


# --- what it refuses -----------------------------------------------------------------------


def test_a_missing_key_shows_before_the_ingest(folder: Path) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        go(folder, generator={"kind": "openai"})
    assert not (folder / "out").exists()


def test_a_config_without_questions_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.questions"):
        go(folder, run={"questions": None})


def test_an_empty_index_without_sources_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.sources"):
        go(folder, run={"sources": []})


def test_without_sources_the_index_is_used_as_it_is(folder: Path) -> None:
    go(folder)
    (folder / "documents" / "tea.md").unlink()
    go(folder, run={"sources": []})
    assert record(folder)["ingest"] is None
    assert record(folder)["index"]["documents"] == 3


def test_a_vanished_questions_file_is_named(folder: Path) -> None:
    (folder / "questions.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"questions\.jsonl cannot be read"):
        go(folder)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{broken", "line 2: Invalid JSON"),
        ('{"text": "Who?"}', "line 2: _id: Field required"),
        ('{"_id": "q9"}', "line 2: text"),
        ('{"_id": "q9", "text": ""}', "line 2: text"),
        ('{"_id": "q9", "text": "Who?", "answerable": "perhaps"}', "line 2: answerable"),
        ('{"_id": "q1", "text": "Who?"}', "'q1' stands twice"),
        ('["q9", "Who?"]', "line 2"),
    ],
)
def test_a_broken_question_is_refused_by_line_and_key(folder: Path, line: str, said: str) -> None:
    (folder / "questions.jsonl").write_text(json.dumps(QUESTIONS[0]) + "\n" + line + "\n")
    with pytest.raises(InputError, match=said):
        go(folder)


def test_a_questions_file_without_a_question_is_refused(folder: Path) -> None:
    ask(folder, [])
    with pytest.raises(InputError, match="holds no question"):
        go(folder)


def test_questions_may_be_called_question_and_numbered(folder: Path) -> None:
    ask(folder, [{"_id": 7, "question": "When is\u2028tea served?"}])
    go(folder)
    assert [line["_id"] for line in answers(folder)] == ["7"]
