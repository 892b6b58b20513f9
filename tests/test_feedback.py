"""Feedback on answers: nothing is lost or mixed, whoever writes at once and whoever is killed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from support.places import ROOT

import rag.feedback
from rag import Rag
from rag.contract import answer_json
from rag.errors import ConfigError, InputError, LockedError
from rag.feedback import FILE, Feedback, JudgedPassage, add_feedback, judge, judge_json, read_feedback
from rag.stores.chroma import EmbeddedStoreSettings

QUESTION = "How do I reset the tracker?"
WRITER = """
import sys
from itertools import count
from pathlib import Path
from rag.feedback import Feedback, add_feedback

path, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(most) if most else count():
    add_feedback(path, Feedback("now", f"{name} {number}", True, True, (), "word " * 2000))
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library that an earlier test has loaded did to logging."""
    for name in ("rag", "rag.feedback"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    caplog.set_level(logging.WARNING, logger="rag.feedback")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index" / FILE


def given(question: str, good: bool = True) -> Feedback:
    passage = JudgedPassage("a.md", 10, 21, "naïve\u2028 “x”\n", 0.5, True)
    return Feedback("2026-01-01T00:00:00+00:00", question, good, True, (passage,), "so\nso")


def writer(path: Path, name: str, most: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(most)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def questions(path: Path) -> list[str]:
    return [feedback.question for feedback in read_feedback(path)]


# --- what is kept ---------------------------------------------------------------------------------


def test_a_verdict_keeps_the_passages_and_which_of_them_are_cited(handbook: Rag) -> None:
    answer = handbook.ask(QUESTION)
    feedback = judge(answer, good=True, note="just so")
    assert (feedback.question, feedback.good, feedback.found, feedback.note) == (
        QUESTION,
        True,
        True,
        "just so",
    )
    assert [p.text for p in feedback.passages] == [p.chunk.text for p in answer.passages]
    assert [p.relevance for p in feedback.passages] == [p.relevance for p in answer.passages]
    cited = {citation.marker for citation in answer.citations}
    assert [p.cited for p in feedback.passages] == [n + 1 in cited for n in range(len(answer.passages))]
    assert {p.cited for p in feedback.passages} == {True, False}


def test_its_time_is_now_in_utc(handbook: Rag) -> None:
    time = datetime.fromisoformat(judge(handbook.ask(QUESTION), good=False).time)
    assert time.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - time).total_seconds()) < 600


def test_a_refusal_can_be_judged_both_ways(handbook: Rag) -> None:
    refusal = handbook.ask("Who won the chess world championship in 1985?")
    assert [(judge(refusal, good).found, judge(refusal, good).good) for good in (True, False)] == [
        (False, True),
        (False, False),
    ]


def test_an_answer_and_its_json_give_the_same_given(handbook: Rag) -> None:
    answer = handbook.ask(QUESTION)
    told = json.dumps(answer_json(answer) | {"_id": "q1"}).encode()
    assert replace(judge_json(told, good=False, note="no"), time="") == replace(
        judge(answer, False, "no"), time=""
    )


@pytest.mark.parametrize(
    "told", [b"", b"[]", b'{"question": "x"}', b'{"error": {}}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_answer_is_refused(told: bytes) -> None:
    with pytest.raises(InputError, match="rag ask --json"):
        judge_json(told, good=True)


def test_rag_keeps_it_in_the_index_folder(handbook: Rag, tmp_path: Path) -> None:
    elsewhere = EmbeddedStoreSettings(path=tmp_path / "mine")
    mine = Rag(handbook.settings.model_copy(update={"store": elsewhere}))
    kept = mine.feedback(handbook.ask(QUESTION), good=True)
    assert read_feedback(tmp_path / "mine" / FILE) == [kept]


def test_any_text_comes_back_as_it_was(path: Path) -> None:
    strange = "half a name \udc80, a null \0, a line\u2028end, “ü” 🙂"
    kept = [add_feedback(path, given(question)) for question in ("plain", strange, "")]
    assert read_feedback(path) == kept
    assert path.read_bytes().count(b"\n") == 3


# --- many at once ---------------------------------------------------------------------------------


def test_threads_lose_nothing_of_each_other(path: Path) -> None:
    asked = [f"question {number}" for number in range(80)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda question: add_feedback(path, given(question)), asked))
    assert sorted(questions(path)) == sorted(asked)


def test_processes_lose_nothing_of_each_other(path: Path) -> None:
    writers = [writer(path, name, 40) for name in ("left", "right")]
    assert [process.communicate(timeout=120) and process.returncode for process in writers] == [0, 0]
    found = questions(path)
    assert len(found) == 80
    for name in ("left", "right"):  # each one's own, in order
        assert [q for q in found if q.startswith(name)] == [f"{name} {number}" for number in range(40)]


def test_who_hangs_with_the_file_in_hand_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.feedback, "_PATIENCE_S", 0.01)
    add_feedback(path, given("before"))
    with FileLock(path.with_suffix(".lock")), pytest.raises(LockedError, match=r"feedback\.jsonl"):
        add_feedback(path, given("lost"))
    add_feedback(path, given("after"))
    assert questions(path) == ["before", "after"]


# --- killed and torn ------------------------------------------------------------------------------


def test_a_killed_writer_loses_nothing_that_it_had_finished(path: Path) -> None:
    with writer(path, "killed", 0) as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(20)][-1]
        process.kill()
    add_feedback(path, given("after"))
    found = questions(path)
    assert found[: int(said) + 1] == [f"killed {number}" for number in range(int(said) + 1)]
    assert found[-1] == "after"


@pytest.mark.parametrize("cut", [1, 20, -2])
def test_a_torn_line_is_named_and_never_glued_to_the_next(
    path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    add_feedback(path, given("before"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    add_feedback(path, given("after"))
    assert questions(path) == ["before", "after"]
    assert f"{path} line 2 cannot be read" in caplog.text
    assert "before" not in caplog.text, "a question is nobody's business in a log"


def test_a_last_line_that_lacks_only_its_end_counts(path: Path) -> None:
    add_feedback(path, given("before"))
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert questions(path) == ["before"]
    add_feedback(path, given("after"))
    assert questions(path) == ["before", "after"]


def test_lines_that_are_something_else_are_named_by_number(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_feedback(path, given("one"))
    others = [
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps(asdict(given("x")) | {"good": "who knows"}).encode(),
    ]
    path.write_bytes(path.read_bytes() + b"\n\n".join(others) + b"\n")
    add_feedback(path, given("two"))
    assert questions(path) == ["one", "two"]
    assert [f"line {number} " in caplog.text for number in (1, 2, 4, 6, 8, 10, 11)] == [
        False,
        *[True] * 5,
        False,
    ]


def test_a_folder_that_cannot_be_written_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"store\.path"):
        add_feedback(tmp_path / "file" / FILE, given("lost"))


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"feedback\.jsonl"):
        read_feedback(path)
