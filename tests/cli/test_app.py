"""Errors, help and exit codes; in this process, and in one of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Run
from support.places import ROOT

import rag

QUESTION = "How do I reset the tracker?"
PROGRAM = [sys.executable, "-c", "from rag.cli.app import program; program()"]
COMMANDS = {
    "open": ["[NUMBER]", "RAG_OPENER"],
    "watch": ["FOLDER...", "--prune", "--config"],
    "help": ["[COMMAND]"],
    "init": ["rag.yaml"],
    "allow": ["[FILE]"],
    "ingest": ["PATH...", "--prune", "--dry-run", "--no-progress", "--yes", "--config", "--json"],
    "ask": [
        "question",
        "--where",
        "--top-k",
        "--threshold",
        "--passages",
        "--full",
        "--short",
        "--explain",
        "--config",
        "--json",
    ],
    "feedback": ["[ANSWER]", "--good", "--bad", "--note", "--config", "--json"],
    "search": [
        "query",
        "--where",
        "--top-k",
        "--threshold",
        "--full",
        "--short",
        "--explain",
        "--config",
        "--json",
    ],
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
    run: Run, notes: Path, arguments: list[str], kind: str
) -> None:
    run("ingest", notes)
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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_names_its_options(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    for name in COMMANDS[command]:
        assert name in done.out


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"rag {rag.__version__}\n"


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert f" {command} " in done.out


def test_help_is_one_page_in_an_order_of_use(run: Run) -> None:
    told = run("help").out
    assert told == run("--help").out
    assert len(told.splitlines()) <= 60
    places = [told.index(f"│ {name} ") for name in ("ingest", "ask", "status", "watch", "eval", "train")]
    assert places == sorted(places)
    assert "rag ask " in told, "an example"


def test_help_of_a_command_is_that_command_s_own(run: Run) -> None:
    told = run("help", "ask")
    assert (told.code, told.out) == (0, run("ask", "--help").out)
    unknown = run("help", "aks")
    assert (unknown.code, "did you mean 'ask'" in unknown.err) == (1, True)


def test_a_shell_is_told_how_a_command_goes_on(tmp_path: Path) -> None:
    asked = {"_RAG_COMPLETE": "complete_bash", "COMP_WORDS": "rag sea", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['rag']; from rag.cli.app import program; program()"
    env = {**os.environ, "PYTHONPATH": str(ROOT), **asked}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, env=env, check=False
    )
    assert done.stdout.decode().split() == ["search"]


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
