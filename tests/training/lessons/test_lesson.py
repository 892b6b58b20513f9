"""Lessons on disk, and those of users' feedback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support import tiny

from rag.evaluation.naming import Naming
from rag.feedback import Feedback, JudgedPassage, add_feedback
from rag.training.lessons.feedback import feedback_questions
from rag.training.lessons.lesson import read_lessons, write_lessons
from rag.training.lessons.mining import spans_of


def test_lessons_are_kept_as_they_are(tmp_path: Path) -> None:
    lessons = [replace(tiny.lessons()[0], question="naïve \ud800 “quoted”\u2028line")]
    write_lessons(lessons, tmp_path / "lessons.jsonl")
    assert read_lessons(tmp_path / "lessons.jsonl") == lessons


def test_feedback_becomes_questions_with_the_cited_passages_marked(tmp_path: Path) -> None:
    def said(question: str, good: bool, *passages: tuple[str, bool], found: bool = True) -> Feedback:
        judged = tuple(JudgedPassage(s, 10, 20, "text", 0.9, cited) for s, cited in passages)
        return Feedback("2026-01-01T00:00:00+00:00", question, good, found, judged)

    path = tmp_path / "feedback.jsonl"
    add_feedback(path, said("When?", True, ("a.md", True), ("b.md", False)))
    add_feedback(path, said("When?", False, ("c.md", True)))
    add_feedback(path, said("Why?", False, ("a.md", False)))
    add_feedback(path, said("Who?", True, ("a.md", False), found=False))
    when, why, who = feedback_questions(path, Naming(""))
    assert when.relevant == {"a.md": 1, "c.md": 0}
    assert spans_of(when) == {"a.md": (10, 20)}
    assert not why.labelled
    assert why.relevant == {"a.md": 0}
    assert who.relevant == {}
