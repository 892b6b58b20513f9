"""What a collection says of itself is a lesson too."""

from __future__ import annotations

from rag.evaluation.naming import Naming
from rag.training.lessons.lesson import Text
from rag.training.lessons.titles import title_lessons
from rag.types import Chunk


def chunk(source: str, start: int, text: str, *headings: str) -> Chunk:
    return Chunk(f"{source}{start}", source, source, 0, text, start, start + len(text), headings)


def test_a_heading_is_answered_by_the_first_passage_under_it_without_the_heading() -> None:
    long = "word " * 30
    chunks = [
        chunk("a", 50, long + "two", "The dome", "In high wind"),
        chunk("a", 0, long + "one", "The dome", "In high wind"),
    ]
    (lesson,) = title_lessons(chunks, Naming(""), 10, 0)
    assert lesson.question == "The dome: In high wind"
    assert lesson.right == (Text("a", long + "one"),)


def test_without_headings_the_first_sentence_asks_for_the_rest() -> None:
    text = "The dome is closed whenever the wind is high. " + "The rest is about something else again. " * 4
    (lesson,) = title_lessons([chunk("a", 0, text)], Naming(""), 10, 0)
    assert lesson.question == "The dome is closed whenever the wind is high."
    assert "closed whenever" not in lesson.right[0].reading
