"""An excerpt is the place that matched, its words marked."""

from __future__ import annotations

from dataclasses import replace

from support.builders import chunk as a_chunk

from rag.answers.excerpt import Excerpt, excerpt, whole_passage
from rag.types import Chunk

FILLER = "Nothing of this has to do with it at all, whatever one may think. " * 6


def chunk(text: str) -> Chunk:
    return replace(a_chunk(text), markup="markdown")


def marked(found: Excerpt) -> list[str]:
    return [found.text[start:end] for start, end in found.marks]


def test_it_is_the_place_that_matched_and_not_the_beginning() -> None:
    found = excerpt("Where is the spare fuse?", chunk(f"{FILLER}The spare fuse lies in a drawer. {FILLER}"))
    assert found.text.startswith("…The spare fuse lies in a drawer.")
    assert found.text.endswith("…")
    assert marked(found) == ["spare", "fuse"]


def test_the_stretch_with_most_of_the_words_wins_over_the_first() -> None:
    found = excerpt("spare fuse", chunk(f"A fuse is a wire. {FILLER} The spare fuse is here."))
    assert "spare fuse is here." in found.text


def test_a_short_passage_is_shown_whole_without_marks_of_markdown() -> None:
    found = excerpt("fuse", chunk("# Fuses\n\nThe **fuse** of `shared_buffers`."))
    assert found.text == "Fuses The fuse of shared_buffers."
    assert marked(found) == ["Fuses", "fuse"]


def test_without_a_word_in_common_it_begins_where_the_passage_does() -> None:
    found = excerpt("xqzzv", chunk(FILLER))
    assert (found.text[:7], found.marks) == ("Nothing", ())


def test_a_whole_passage_keeps_its_lines() -> None:
    found = whole_passage("spare fuse", chunk("One line.\n\nThe spare fuse."))
    assert found.text.splitlines()[0] == "One line."
    assert marked(found) == ["spare", "fuse"]
