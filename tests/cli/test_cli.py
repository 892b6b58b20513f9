"""The command line. Most tests call its entry point in this process; a few start a real one."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Ran, Run
from support.places import ROOT

QUESTION = "How do I reset the tracker?"
GIBBERISH = "xqzzv blorptang frumious wibble"
PROGRAM = [sys.executable, "-c", "from rag.cli.app import program; program()"]
COMMANDS = {
    "ingest": ["PATH...", "--prune", "--yes", "--config", "--json"],
    "ask": ["question", "--where", "--explain", "--config", "--json"],
    "feedback": ["[ANSWER]", "--good", "--bad", "--note", "--config", "--json"],
    "search": ["query", "--where", "--explain", "--config", "--json"],
    "why": ["question", "source", "--config", "--json"],
    "run": ["CONFIG", "--json"],
    "plan": ["CONFIG", "--json"],
    "cache": ["--clear", "--config", "--json"],
    "status": ["--sources", "--config", "--json"],
    "remove": ["[SOURCE...]", "--all", "--dry-run", "--yes", "--config", "--json"],
    "rebuild": ["--embed", "--config", "--json"],
    "backup": ["FILE", "--config", "--json"],
    "restore": ["FILE", "--replace", "--config", "--json"],
    "config": ["--config", "--json"],
    "doctor": ["--config", "--json"],
    "models": ["[CONFIG]", "--json"],
    "demo": ["--help"],
    "eval": ["CONFIG", "DATASET", "--split", "--sample", "--seed", "--out", "--json"],
    "compare": ["A.yaml B.yaml… DATASET", "--sample", "--seed", "--effect", "--out", "--json"],
    "calibrate": ["CONFIG", "DATASET", "--precision", "--false-answers", "--out", "--json"],
    "tune": ["CONFIG", "DATASET", "--budget-ms", "--with", "--out", "--json"],
    "questions": ["CONFIG", "--count", "--seed", "--out", "--json"],
}


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two documents, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "fuses.md").write_text("---\nteam: power\n---\n\nThe spare fuse is kept in the red drawer.\n")
    (folder / "soup.md").write_text("---\nteam: kitchen\n---\n\nSoup is served at seven in the evening.\n")
    return folder


# --- ingest and out again ------------------------------------------------------------------


def test_ingest_reports_what_it_did_as_json(run: Run, notes: Path) -> None:
    first = run("ingest", "notes", "--json")
    assert (first.code, first.err) == (0, "")
    assert set(first.json) == {
        "new", "changed", "unchanged", "removed", "skipped", "chunks", "embedded", "seconds",
    }  # fmt: skip
    assert (first.json["new"], first.json["embedded"], first.json["skipped"]) == (2, 2, [])
    second = run("ingest", "notes", "--json").json
    assert (second["new"], second["unchanged"], second["embedded"]) == (0, 2, 0)


def test_ingest_tells_people_what_was_skipped_and_why(run: Run, notes: Path) -> None:
    (notes / "picture[1].png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    done = run("ingest", "notes")
    assert done.code == 0
    assert "2 new, 0 changed, 0 unchanged, 0 removed, 1 skipped" in done.out
    assert "skipped notes/picture[1].png: " in done.out
    assert run("ingest", "notes", "--json").json["skipped"][0]["source"] == "notes/picture[1].png"


def test_the_index_lives_in_the_working_folder_unless_told_otherwise(
    run: Run, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", "notes")
    assert (tmp_path / ".rag" / "catalog.sqlite").exists()
    monkeypatch.setenv("RAG_STORE__PATH", str(tmp_path / "elsewhere"))
    assert run("status", "--json").json["documents"] == 0
    assert run("ingest", "notes", "--json").json["new"] == 2
    assert (tmp_path / "elsewhere" / "catalog.sqlite").exists()


def test_prune_removes_what_vanished(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    (notes / "soup.md").unlink()
    assert run("ingest", "notes", "--json").json["removed"] == 0
    assert run("ingest", "notes", "--prune", "--json").json["removed"] == 1


@pytest.mark.parametrize("name", ["", " ", ".", "./", "notes"])
def test_a_name_that_means_every_document_removes_none_of_them(run: Run, notes: Path, name: str) -> None:
    run("ingest", "notes")
    done = run("remove", name)
    assert (done.code, "--all" in done.err) == (1, True)
    assert run("status", "--json").json["documents"] == 2
    assert run("remove", "--all", "--dry-run").out == (
        "would remove notes/fuses.md\nwould remove notes/soup.md\n"
    )
    assert run("status", "--json").json["documents"] == 2
    assert len(run("remove", "--all", "--json").json["removed"]) == 2
    assert run("status", "--json").json["documents"] == 0


def test_more_than_a_tenth_of_an_index_does_not_go_in_silence(run: Run, notes: Path) -> None:
    for number in range(10):
        (notes / f"{number}.md").write_text(f"Note {number} is about pump {number}.")
    run("ingest", "notes")
    for number in range(3):
        (notes / f"{number}.md").unlink()
    assert "This removes 3 of 12 documents: notes/0.md" in run("ingest", "notes", "--prune").err
    assert run("remove", "notes/5.md").err == ""
    assert "This removes 2 of 8" in run("remove", "notes/6.md", "notes/7.md").err
    assert run("remove", "notes/8.md", "notes/9.md", "--yes").err == ""


def test_status_remove_and_rebuild(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    status = run("status", "--sources", "--json").json
    assert {"documents", "chunks", "bytes", "fingerprint", "path"} <= set(status)
    assert (status["documents"], status["sources"]) == (2, ["notes/fuses.md", "notes/soup.md"])
    assert run("remove", "notes/soup.md", "--json").json == {"removed": ["notes/soup.md"]}
    assert run("remove", "notes/fuses.md").out == "removed notes/fuses.md\n"
    assert run("rebuild", "--json").json == {"chunks": 0}
    assert "documents    0" in run("status").out


def test_a_filter_chooses_documents_by_their_metadata(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    found = run("search", "what is where", "--where", "team=kitchen", "--json").json
    assert {p["source"] for p in found["passages"]} <= {"notes/soup.md"}
    rows = run("search", "fuse", "-w", "team=power", "-w", "team=kitchen", "--json").json["trace"][
        "candidates"
    ]
    assert {row["source"] for row in rows} == {"notes/fuses.md", "notes/soup.md"}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("team", "expected key=value"),
        ("teem=power", "did you mean 'team'"),
        ("../x=1", "is not a metadata key"),
        ("=1", "is not a metadata key"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_a_clear_error(
    run: Run, notes: Path, where: str, message: str
) -> None:
    run("ingest", "notes")
    done = run("ask", "Where is the fuse?", "--where", where, "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "InputError"
    assert message in done.json["error"]["message"]


# --- questions -----------------------------------------------------------------------------


def test_ask_prints_the_answer_its_citations_and_its_passages(run: Run, config: Path) -> None:
    done = run("ask", QUESTION, "--config", config)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "no language model wrote this" in done.out
    assert any(re.match(r"\[\d\] .*resetting-the-tracker\.md", line) for line in lines)
    assert any(re.match(r"1  0\.\d\d .*resetting-the-tracker\.md", line) for line in lines)
    assert "reranker late-interaction: ok; encode " in done.out
    assert "kept, or why not" not in done.out


def test_ask_as_json_is_the_contract(run: Run, config: Path) -> None:
    done = run("ask", QUESTION, "--config", config, "--json")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    answer = done.json
    assert {"question", "found", "text", "citations", "passages", "trace"} <= set(answer)
    assert (answer["question"], answer["found"], len(answer["passages"])) == (QUESTION, True, 2)
    assert {"marker", "source", "page", "heading", "start", "end", "status"} <= set(answer["citations"][0])
    passage = answer["passages"][0]
    assert {"source", "text", "relevance", "score", "start", "end"} <= set(passage)
    assert passage["end"] - passage["start"] == len(passage["text"])
    assert 0 < passage["relevance"] < 1
    assert len(answer["trace"]["candidates"]) == 50


@pytest.fixture
def judging(notes: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`rag ask … --json | rag feedback - …`"""
    run("ingest", "notes")

    def pipe(question: str, *arguments: str) -> Ran:
        asked = io.BytesIO(run("ask", question, "--json").out.encode())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(asked))
        return run("feedback", "-", *arguments)

    return pipe


def test_a_feedback_on_an_answer_is_kept_and_listed(run: Run, judging: Callable[..., Ran]) -> None:
    first = judging("Where is the spare fuse?", "--good", "--json")
    assert (first.code, first.err) == (0, "")
    (given,) = first.json["feedback"]
    assert (given["question"], given["good"], given["found"]) == (
        "Where is the spare fuse?",
        True,
        True,
    )
    assert [passage["cited"] for passage in given["passages"]][:1] == [True]
    second = judging(GIBBERISH, "--bad", "--note", "[it] is in soup.md")
    assert second.code == 0
    assert f"kept in {Path('.rag/feedback.jsonl')}" in second.out
    listed = run("feedback", "--json").json["feedback"]
    assert listed[0] == given
    assert [told["found"] for told in listed] == [True, False]
    shown = run("feedback").out
    assert f"bad   {GIBBERISH}  (not found)" in shown
    assert "[it] is in soup.md" in shown


def test_a_feedback_may_come_from_a_file(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    (notes / "answer.json").write_text(run("ask", "Where is the spare fuse?", "--json").out)
    assert run("feedback", "notes/answer.json", "--bad").code == 0
    assert [told["good"] for told in run("feedback", "--json").json["feedback"]] == [False]


def test_no_feedbacks_yet_is_no_error(run: Run, notes: Path) -> None:
    assert run("feedback", "--json").json == {"path": str(Path(".rag/feedback.jsonl")), "feedback": []}
    assert run("feedback").out.startswith("no feedback in ")


@pytest.mark.parametrize("arguments", [["-"], ["--good"], ["--note", "x"]])
def test_half_a_feedback_is_wrong_usage(run: Run, notes: Path, arguments: list[str]) -> None:
    done = run("feedback", *arguments)
    assert done.code == 2
    assert "--good or --bad" in done.err


def test_a_feedback_on_no_answer_is_a_clear_error(run: Run, notes: Path) -> None:
    assert run("feedback", "notes/fuses.md", "--good").err.startswith("InputError: this is no answer")
    assert run("feedback", "absent.json", "--good").err.startswith("InputError: absent.json cannot be read")


def test_explain_shows_the_whole_ledger(run: Run, config: Path) -> None:
    done = run("search", QUESTION, "--config", config, "--explain")
    rows = [line for line in done.out.splitlines() if line.startswith("│")]
    assert len(rows) == 50
    assert sum("kept" in row for row in rows) == 2
    assert any("beyond top_k 2" in row for row in rows) or all(
        "kept" in row or "threshold" in row for row in rows
    )
    assert all("resetting-the-tracker" in row for row in rows if "kept" in row)
    assert any("↑" in row for row in rows)
    assert any("↓" in row for row in rows)


def test_search_gives_the_passages_without_an_answer(run: Run, config: Path) -> None:
    found = run("search", QUESTION, "--config", config, "--json").json
    assert {"question", "passages", "trace"} == set(found)
    assert found["trace"]["generate"] is None


@pytest.mark.parametrize("command", ["ask", "search"])
def test_no_answer_is_exit_code_3(run: Run, config: Path, command: str) -> None:
    done = run(command, GIBBERISH, "--config", config, "--json")
    assert (done.code, done.json["passages"]) == (3, [])
    assert run(command, GIBBERISH, "--config", config).code == 3


def test_ask_says_in_words_that_there_is_no_answer(run: Run, config: Path) -> None:
    assert "The documents do not answer this question." in run("ask", GIBBERISH, "--config", config).out


def test_asking_before_anything_was_ingested_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("ask", QUESTION)
    assert done.code == 3
    assert "`rag status` shows what the index holds" in done.out


def test_why_tells_the_stage_and_the_reason(run: Run, config: Path) -> None:
    sources = run("status", "--sources", "--config", config, "--json").json["sources"]
    tracker = next(source for source in sources if source.endswith("resetting-the-tracker.md"))
    kept = run("why", QUESTION, tracker, "--config", config, "--json")
    assert (kept.code, kept.json["stage"]) == (0, "kept")
    kitchen = next(source for source in sources if source.endswith("meals-and-kitchen.md"))
    told = run("why", QUESTION, kitchen, "--config", config)
    assert told.code == 0
    assert told.out.startswith(f"{kitchen}: ")
    assert run("why", QUESTION, "nowhere.md", "--config", config).code == 1


# --- settings and health -------------------------------------------------------------------


def test_config_tells_every_value_and_where_it_came_from(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_RETRIEVER__TOP_N", "20")
    shown = run("config", "--config", config, "--json").json
    assert shown["reranker.top_k"] == {"value": 2, "from": str(config)}
    assert shown["retriever.top_n"] == {"value": 20, "from": "RAG_RETRIEVER__TOP_N"}
    assert shown["selection.order"] == {"value": "relevance", "from": "default"}
    table = run("config", "--config", config).out
    assert "RAG_RETRIEVER__TOP_N" in table


def test_config_shows_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__KIND", "cohere")
    monkeypatch.setenv("RAG_RERANKER__API_KEY", "sk-4711-do-not-tell")
    for done in (run("config"), run("config", "--json"), run("doctor")):
        assert "sk-4711-do-not-tell" not in done.out + done.err


def test_doctor_ends_with_0_where_all_is_well_and_with_1_where_not(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = run("doctor", "--config", config, "--json")
    assert (well.code, well.json["ok"]) == (0, True)
    monkeypatch.setenv("RAG_GENERATOR__KIND", "openai")
    ill = run("doctor", "--config", config, "--json")
    assert (ill.code, ill.json["ok"]) == (1, False)
    told = run("doctor", "--config", config)
    assert told.code == 1
    assert "FAIL generator" in told.out
    assert "OPENAI_API_KEY" in told.out


def test_models_are_named_for_people_and_machines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hosted.yaml").write_text("reranker: {kind: cohere, model: '[best]'}\n")
    told = run("models", tmp_path / "hosted.yaml", "--json")
    assert (told.code, told.err) == (0, "")
    assert [model["host"] for model in told.json["models"]] == ["", "api.cohere.com"]
    shown = run("models", tmp_path / "hosted.yaml").out
    assert "licence     Apache-2.0\n" in shown
    assert "[best]\n  used as     reranker (cohere)\n  at          api.cohere.com; " in shown


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["ask", ""], "InputError"),
        (["ask", "x" * 20_000], "InputError"),
        (["ask", QUESTION, "--config", "absent.yaml"], "ConfigError"),
        (["ingest", "nowhere"], "InputError"),
        (["remove", "nowhere.md"], "InputError"),
        (["why", QUESTION, "nowhere.md"], "InputError"),
    ],
)
def test_a_clear_error_is_one_line_or_one_document_and_exit_code_1(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--json")
    assert (done.code, done.err, done.out.count("\n")) == (1, "", 1)
    assert set(done.json) == {"error"}
    assert set(done.json["error"]) == {"type", "message"}
    assert done.json["error"]["type"] == kind
    told = run(*arguments)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith(f"{kind}: ")
    assert "Traceback" not in told.err


def test_a_misspelt_variable_is_a_clear_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__TOPK", "3")
    done = run("status", "--json")
    assert done.code == 1
    assert "did you mean 'RAG_RERANKER__TOP_K'" in done.json["error"]["message"]


def test_an_index_of_other_settings_is_refused_with_the_remedy(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CHUNKER__TOKENS", "100")
    done = run("ask", QUESTION, "--config", config, "--json")
    assert (done.code, done.json["error"]["type"]) == (1, "StoreError")
    assert "`rag rebuild --embed`" in done.json["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [["ask"], ["nonsense"], ["ask", QUESTION, "--nonsense"], ["ingest"], ["why", "only one"], ["run"]],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


# --- help ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_names_its_options(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    for name in COMMANDS[command]:
        assert name in done.out


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert f" {command} " in done.out


def test_help_loads_no_model_library_no_store_and_no_settings() -> None:
    program = (
        "import sys; from rag.cli.app import app; sys.argv = ['rag', '--help']\n"
        "try: app()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "chromadb",
        "numpy",
        "pydantic",
        "yaml",
        "sentence_transformers",
        "openai",
        "cohere",
        "tantivy",
    }
    assert not heavy & set(done.stderr.split())


# --- as a process of its own ---------------------------------------------------------------


def started(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, cwd=cwd, env=env, check=False)


def test_a_real_process_answers_with_one_json_document_and_silence(config: Path, tmp_path: Path) -> None:
    done = started("ask", QUESTION, "--config", str(config), "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["found"] is True


def test_a_real_process_ends_with_the_codes_for_error_and_usage(tmp_path: Path) -> None:
    failed = started("status", "--config", "absent.yaml", "--json", cwd=tmp_path)
    assert (failed.returncode, failed.stderr) == (1, b"")
    assert json.loads(failed.stdout)["error"]["type"] == "ConfigError"
    assert started("status", "--nonsense", cwd=tmp_path).returncode == 2


def test_a_terminal_that_speaks_no_unicode_gets_codes_and_no_crash(config: Path, tmp_path: Path) -> None:
    for arguments in (
        ("config", "--config", "ümlaut\udcff.yaml"),
        ("config", "--config", "ümlaut\udcff.yaml", "--json"),
    ):
        done = started(*arguments, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        assert b"mlaut" in done.stdout + done.stderr
