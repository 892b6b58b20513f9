from __future__ import annotations

from typing import Any

import pytest
from support.builders import passage, ranked
from support.fakes import NothingStored, WordEmbedder

from rag import Rag
from rag.answers.citations import confirm
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.generators.extractive import ExtractiveGenerator, ExtractiveSettings
from rag.parts import Parts
from rag.protocols import SpannedEncoder
from rag.types import Passage, Question, Reply

DOME = passage(
    0.9,
    "The observatory has two domes. The larger dome is closed when the wind is above 16 metres a second. "
    "Its shutters weigh nine tonnes. The dome is painted white every tenth year.",
    "dome.txt",
    rank=1,
)
SOUP = passage(
    0.4, "Soup is served at seven in the evening. The cook lives in the valley below.", "soup.txt", rank=2
)
QUESTION = Question("At which wind is the larger dome closed?")


def build(encoder: SpannedEncoder | None = None, **settings: Any) -> ExtractiveGenerator:
    parts = Parts(NothingStored(), lambda: encoder or WordEmbedder())
    return ExtractiveSettings.model_validate(settings).build(parts)


def quotes(reply: Reply) -> list[tuple[str, int]]:
    """(sentence, marker) of each quotation."""
    return [(quote.text, quote.marker) for quote in reply.quotes]


def told(passages: list[Passage], question: Question = QUESTION, **settings: Any) -> list[tuple[str, int]]:
    return quotes(build(**settings).generate(question, passages))


# --- what it quotes ------------------------------------------------------------------------


def test_the_sentence_that_answers_is_quoted_with_its_passage(embedder: SentenceTransformersEmbedder) -> None:
    reply = build(embedder).generate(QUESTION, [DOME, SOUP])
    assert ("The larger dome is closed when the wind is above 16 metres a second.", 1) in quotes(reply)


def test_every_quotation_stands_in_the_passage_that_it_cites() -> None:
    passages = [DOME, SOUP]
    found = told(passages)
    assert found
    for sentence, marker in found:
        assert sentence in passages[marker - 1].chunk.text


def test_all_citations_of_an_answer_from_the_handbook_check_out(handbook: Rag) -> None:
    for question in ("How do I reset the tracker?", "fuse rating for the car GPS tracker"):
        answer = handbook.ask(question)
        assert answer.citations
        assert {citation.status for citation in answer.citations} == {"ok"}


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_sentences_are_quoted_than_the_settings_allow(most: int) -> None:
    assert 1 <= len(told([DOME, SOUP], sentences=most, within=0.0)) <= most


def test_with_within_1_only_the_best_is_quoted() -> None:
    assert len(told([DOME, SOUP], within=1.0)) == 1


def test_a_sentence_that_stands_in_two_passages_is_quoted_once() -> None:
    twice = passage(0.8, DOME.chunk.text, "copy.txt", rank=2)
    sentences = [sentence for sentence, _ in told([DOME, twice], sentences=8, within=0.0)]
    assert len(sentences) == len(set(sentences))


def test_marks_of_markdown_are_left_out_and_the_citation_still_checks_out() -> None:
    marked = passage(
        0.9, "# Domes\n\n- The **larger dome** is closed when the wind is above `16` metres.\n", "d.md"
    )
    reply = build().generate(QUESTION, [marked])
    assert "*" not in reply.text
    assert "`" not in reply.text
    assert [citation.status for citation in confirm(reply.quotes, [marked])] == ["ok"]


def test_a_heading_is_not_an_answer() -> None:
    page = passage(
        0.9, "# At which wind is the larger dome closed?\n\nAbove 16 metres a second it is closed.\n", "d.md"
    )
    assert [sentence for sentence, _ in told([page])] == ["Above 16 metres a second it is closed."]


@pytest.mark.parametrize("text", ["| R4 | T-READY |", "Dome", "A-217", "天文台", "- a\n- b", "#"])
def test_a_passage_without_a_sentence_is_still_quoted(text: str) -> None:
    reply = build().generate(QUESTION, [passage(0.9, text, "t.csv")])
    assert reply.text.endswith("[1]")


# --- how it says so ------------------------------------------------------------------------


def test_it_says_that_no_language_model_wrote_it() -> None:
    reply = build().generate(QUESTION, [DOME])
    assert "no language model" in reply.notice
    assert reply.written_by == ""
    assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)


def test_many_long_passages_are_read_to_the_end() -> None:
    last = passage(
        0.5, "Filler stands here again. " * 200 + "The larger dome is closed at wind 16.", "last.txt"
    )
    found = told([*ranked(0.9, 0.8), last], sentences=1)
    assert found == [("The larger dome is closed at wind 16.", 3)]
