"""`rag ask`, `search`, `why` and `feedback`."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Ran, Run

QUESTION = "How do I reset the tracker?"
GIBBERISH = "xqzzv blorptang frumious wibble"


def test_ask_prints_the_answer_its_sources_and_its_confidence(run: Run, config: Path) -> None:
    done = run("ask", QUESTION, "--config", config)
    assert (done.code, done.err) == (0, "")
    text, _, rest = done.out.partition("\n\n")
    assert "no language model wrote this" in text
    lines = rest.splitlines()
    assert re.fullmatch(r"\[1\] \S*handbook/telescopes/resetting-the-tracker\.md, .* › Procedure", lines[0])
    assert re.match(r"confidence 0\.\d\d$", lines[1])
    assert "reranker" not in done.out
    assert "↑" not in done.out, "no passages"


def test_more_and_less_than_that_are_shown_where_they_are_asked_for(run: Run, config: Path) -> None:
    short = run("ask", QUESTION, "--config", config, "--short").out
    assert "confidence" not in short
    assert "no language model" not in short
    assert "[1] " in short
    passages = run("ask", QUESTION, "--config", config, "--passages").out
    assert re.search(r"^\[1\] 0\.\d\d .*resetting-the-tracker\.md", passages, re.MULTILINE)
    full = run("ask", QUESTION, "--config", config, "--full", "--top-k", "1").out
    assert "   T-READY" in full or "T-READY" in full
    assert len(full) > len(run("ask", QUESTION, "--config", config, "--passages", "--top-k", "1").out)
    explained = run("ask", QUESTION, "--config", config, "--explain").out
    assert "reranker late-interaction: ok; encode " in explained
    places = run("search", QUESTION, "--config", config, "--short").out.splitlines()
    assert [line[:2] for line in places] == ["1 ", "2 "]
    assert len(run("search", QUESTION, "--config", config, "--full").out.splitlines()) > 8


def test_citation_numbers_have_no_gaps_and_a_place_has_one(
    run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is made of the second passage alone, or of the first and the third."""
    (notes / "fuses.md").write_text("# Fuses\n\nWhich fuse is the spare fuse?\n")
    (notes / "more.md").write_text("# Spare fuse\n\nThe spare fuse is kept in the red drawer.\n")
    run("ingest", "notes")
    asked = run("ask", "Where is the spare fuse kept?", "--threshold", "0", "--json").json
    assert asked["citations"][0]["marker"] > 0
    told = run("ask", "Where is the spare fuse kept?", "--threshold", "0").out
    cited = [int(number) for number in re.findall(r"^\[(\d)\] ", told, re.MULTILINE)]
    assert cited == list(range(1, len(cited) + 1))
    assert {int(number) for number in re.findall(r" \[(\d)\]$", told, re.MULTILINE)} == {*cited}
    monkeypatch.chdir(notes)
    monkeypatch.setenv("RAG_STORE__PATH", str(notes.parent / ".rag"))
    from_here = run("search", "spare fuse", "--threshold", "0", "--short").out
    assert "more.md" in from_here
    assert "notes/" not in from_here, "the path from where the command runs"


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
    assert run("feedback", "absent.json", "--good").err.startswith("InputError: the answer absent.json")


def test_explain_shows_every_candidate(run: Run, config: Path) -> None:
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


def test_why_knows_a_document_by_its_end_where_no_other_ends_so(run: Run, config: Path) -> None:
    told = run("why", QUESTION, "resetting-the-tracker.md", "--config", config, "--json")
    assert told.json["source"].endswith("handbook/telescopes/resetting-the-tracker.md")
    assert "tracker" in told.json["excerpt"]
    several = run("why", QUESTION, "md", "--config", config)
    assert several.err.startswith("InputError: 'md' is not in the index")


def test_why_lists_what_a_name_may_mean(run: Run, notes: Path) -> None:
    (notes / "old").mkdir()
    (notes / "old" / "soup.md").write_text("Soup was served at six.")
    run("ingest", "notes")
    told = run("why", "When is soup?", "soup.md")
    assert told.err == ("InputError: 'soup.md' may be notes/old/soup.md, notes/soup.md: name one of them\n")
