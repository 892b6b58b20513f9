"""Answers without a language model: the sentences of the passages that match the question best."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveInt

from rag.answers.sentences import sentences
from rag.errors import ModelError
from rag.generators.base import Parts
from rag.generators.steps import asks_how, steps
from rag.models import token_bits
from rag.protocols import TokenEncoder
from rag.types import Passage, Question, Reply

NOTICE = "Quoted from the documents; no language model wrote this."

# A procedure is quoted from a passage of at least this share of the best relevance.
_NEARLY = 0.7
# Shorter ones are headings, labels and crumbs of tables.
_LEAST_WORDS = 4
# A list that its sentence announces is quoted with it up to so many characters.
_LONGEST_LIST = 500
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]")
# The line under a table's first row, which makes that row the names of the columns.
_RULE = re.compile(r"[ \t]*\n[ \t]*\|?[ \t:-]*-[-| \t:]*(?:\n|$)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_MARKS = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+|>\s*|#{1,6}\s+)+|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")


class ExtractiveSettings(BaseModel, frozen=True, extra="forbid"):
    """sentences: at most so many. within: the least share of the best sentence's score."""

    kind: Literal["extractive"] = "extractive"
    sentences: PositiveInt = 3
    within: Annotated[float, Field(ge=0.0, le=1.0)] = 0.85

    def build(self, parts: Parts) -> ExtractiveGenerator:
        return ExtractiveGenerator(parts.encoder, self.sentences, self.within)


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    passage: int
    start: int


class ExtractiveGenerator:
    name = "extractive"

    def __init__(self, encoder: Callable[[], TokenEncoder], most: int, within: float) -> None:
        self._encoder = encoder
        self._most = most
        self._within = within

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
        quoted = _procedure(question, passages) or self._best(question, passages)
        return Reply("\n".join(f"{s.text} [{s.passage}]" for s in quoted), notice=NOTICE)

    def _best(self, question: Question, passages: Sequence[Passage]) -> list[_Sentence]:
        found = list(_sentences(passages)) or list(_wholes(passages))
        scores = self._scores(question, found, passages)
        best = sorted(range(len(found)), key=lambda i: -scores[i])
        top = scores[best[0]]
        least = top - (1 - self._within) * abs(top)  # within × a negative score would lie above it
        chosen = [i for i in best[: self._most] if scores[i] >= least]
        # The best passage's sentences first, each passage's in the order in which they stand.
        return sorted((found[i] for i in chosen), key=lambda s: (s.passage, s.start))

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        reply = self.generate(question, passages)
        yield reply.text
        yield reply

    def _scores(
        self, question: Question, found: Sequence[_Sentence], passages: Sequence[Passage]
    ) -> list[float]:
        """How well a sentence matches, and how relevant the passage is that it stands in."""
        encoder = self._encoder()
        vectors = question.vectors
        asked = (
            vectors.tokens
            if vectors and vectors.tokens is not None
            else encoder.embed_question(question.text).tokens
        )
        if asked is None:
            raise ModelError("extractive answers need a model with token vectors")
        matches = token_bits.maxsim_floats(asked, encoder.embed_tokens([s.text for s in found]))
        best = max(passage.relevance for passage in passages) or 1.0
        return [
            float(match) * (0.5 + 0.5 * passages[s.passage - 1].relevance / best)
            for match, s in zip(matches, found, strict=True)
        ]


def _procedure(question: Question, passages: Sequence[Passage]) -> list[_Sentence]:
    """For a "how do I": the steps of the first passage that has some and is about as good as the best."""
    if not asks_how(question.text):
        return []
    least = _NEARLY * max(passage.relevance for passage in passages)
    for number, passage in enumerate(passages, start=1):
        if passage.relevance >= least and (found := steps(passage.chunk.text)):
            return [_Sentence(f"{n}. {_bare(text)}", number, start) for n, text, start in found]
    return []


def _sentences(passages: Sequence[Passage]) -> Iterator[_Sentence]:
    seen: set[str] = set()
    for number, passage in enumerate(passages, start=1):
        for start, raw in _units(passage.chunk.text):
            text = " ".join(_bare(line) for line in raw)
            if len(text.split()) >= _LEAST_WORDS and not _HEADING.match(raw[0]) and text not in seen:
                seen.add(text)
                yield _Sentence(text, number, start)


def _units(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each sentence; one that announces a list ("Wear:") with as much of the list as is short;
    a table's row with its column's names."""
    spans = sentences(text)
    columns: list[str] = []
    for i, (start, end) in enumerate(spans):
        sentence = text[start:end]
        if not sentence.startswith("|"):
            columns = []
            yield start, [sentence, *_announced(text, start, spans[i:])]
        elif _RULE.match(text, end):
            columns = _cells(sentence)
        else:
            yield start, [_row(columns, _cells(sentence))]


def _announced(text: str, start: int, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    if not text[slice(*spans[0])].rstrip().endswith(":"):
        return
    for at, until in spans[1:]:
        line = text[text.rfind("\n", 0, at) + 1 : at]
        if not _ITEM.match(line) or until - start > _LONGEST_LIST:
            return
        yield text[at:until]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _row(columns: Sequence[str], cells: Sequence[str]) -> str:
    named = zip_longest(columns[: len(cells)], cells, fillvalue="")
    return "; ".join(f"{column}: {cell}" if column else cell for column, cell in named if cell)


def _wholes(passages: Sequence[Passage]) -> Iterator[_Sentence]:
    """Passages without a sentence worth the name, such as a table's row, are quoted as they are."""
    for number, passage in enumerate(passages, start=1):
        yield _Sentence(_bare(passage.chunk.text), number, 0)


def _bare(text: str) -> str:
    """One line without Markdown's marks."""
    return _MARKS.sub("", " ".join(text.split()))
