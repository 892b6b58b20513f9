"""The report is one page: nothing loads, nothing runs, whatever the documents say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from support.arms import PROVENANCE, STARTED
from support.builders import passage
from support.pages import HOSTILE, Page

from rag.contract import answer_json, error_json
from rag.errors import TransientError
from rag.runs.line import AnswerLine
from rag.runs.outcomes import Counts, Percentiles, Results, add_up
from rag.runs.questions import AskedQuestion
from rag.runs.report import report_html
from rag.runs.run_file import RunFile
from rag.types import (
    Answer,
    CandidateTrace,
    Citation,
    IngestReport,
    Passage,
    RerankTrace,
    Skipped,
    Stage,
    Trace,
)

RUN = RunFile(
    config="test.yaml",
    started=STARTED,
    provenance=PROVENANCE,
    ingest=IngestReport(1, 0, 0, 0, (Skipped("<b>.bin", "binary file"),), 1, 1, 0.1),
    results=Results(
        seconds=1.5,
        counts=Counts(questions=1, found=1, not_found=0, failed=0),
        milliseconds={"rerank": Percentiles(1.0, 2.0)},
        spent=add_up([]),
    ),
)


def row(relevance: float, fused: int, reranked: int, reason: str = "") -> CandidateTrace:
    return CandidateTrace(
        "id", f"{HOSTILE}.md", 1, None, fused, reranked, 1.0, relevance, fused - reranked, not reason, reason
    )


def an_answer(**changes: Any) -> Answer:
    found: Passage = passage(0.734, HOSTILE, "a.md")
    trace = Trace(
        stages=(Stage("rerank", 1.0, 1),),
        rerank=RerankTrace("late-interaction", ""),
        candidates=(row(0.734, 8, 1), row(0.1, 1, 8, "beyond top_k 1")),
        notes=("1 passages were cut to the reranker's window",),
    )
    citation = Citation(1, "a.md", 3, "Pumps", 10, 20, "number-not-found")
    return replace(Answer("Why?", "Because [1].", "answered", (found,), (citation,), trace), **changes)


def page(answer: Answer | dict[str, Any], /, **question: Any) -> tuple[str, Page]:
    asked = AskedQuestion.model_validate({"_id": "q1", "text": "Why?", **question})
    line = AnswerLine.of("q1", answer_json(answer) if isinstance(answer, Answer) else answer)
    html = report_html(RUN, [asked], [line])
    return html, Page(html)


def test_what_a_document_says_stays_text() -> None:
    html, shown = page(an_answer(text=HOSTILE), text=HOSTILE, answer=HOSTILE)
    assert {tag for tag, _ in shown.tags}.isdisjoint({"script", "img", "iframe", "link", "object"})
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)
    assert shown.text.count("<script>alert(1)</script>") >= 4
    assert "{{ 7 * 7 }}" in shown.text
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", html)


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    html, shown = page(an_answer())
    assert shown.open == []
    assert "default-src 'none'" in html
    links = [
        value for _, attributes in shown.tags for name in ("href", "src") if (value := attributes.get(name))
    ]
    assert all(link.startswith("#") for link in links)
    assert "url(" not in html
    assert "@import" not in html


def test_it_says_how_relevant_in_words_too() -> None:
    html, shown = page(an_answer())
    assert "0.73" in shown.text
    assert 'style="width: 73.4%"' in html


def test_the_ledger_tells_who_moved_and_why_who_was_dropped() -> None:
    _, shown = page(an_answer())
    words = " ".join(shown.text.split())
    assert "up 7" in words
    assert "down 7" in words
    assert "beyond top_k 1" in words
    assert "cut to the reranker's window" in words


def test_a_citation_that_does_not_hold_is_flagged() -> None:
    _, shown = page(an_answer())
    words = " ".join(shown.text.split())
    assert re.search(r"\[1\] a\.md ?, page 3, Pumps ?characters 10–20 ?number not found", words)
    unknown = Citation(9, None, None, None, None, None, "unknown-passage")
    _, shown = page(an_answer(citations=(unknown,)))
    assert "[9] unknown passage" in " ".join(shown.text.split())


def test_a_failed_question_shows_its_error() -> None:
    error = TransientError("Cohere did not answer in time", provider="Cohere")
    _, shown = page({"question": "Why?", **error_json(error)})
    assert "TransientError: Cohere did not answer in time" in shown.text
    assert "failed" in shown.text


@pytest.mark.parametrize(
    ("question", "said"),
    [({"answer": "For tea."}, "Expected: For tea."), ({"answerable": False}, "no answer")],
)
def test_what_was_expected_stands_beside_the_answer(question: dict[str, Any], said: str) -> None:
    _, shown = page(an_answer(), **question)
    assert said in " ".join(shown.text.split())


def test_it_names_what_was_skipped_and_what_made_the_answers() -> None:
    _, shown = page(an_answer())
    words = " ".join(shown.text.split())
    assert "<b>.bin : binary file" in words or "<b>.bin: binary file" in words
    assert "listed" in words
    assert "not fitted" in words


def test_light_and_dark_and_small_screens_are_served() -> None:
    html, _ = page(an_answer())
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html


def test_nothing_on_the_page_steers_the_direction_of_text_or_a_terminal() -> None:
    html, _ = page(an_answer(text="red\x1b[2J \u202egnp.exe\x9b31m drawer [1]"), text="Why\x1b]0;t\x07?")
    assert "red\\x1b[2J \\u202egnp.exe" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", html)
