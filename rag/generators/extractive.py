"""Answers without a language model: the units of the passages that answer best, in their own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from rag.answers.disagreement import DISAGREE, in_disagreement
from rag.answers.picking import Likeness, Scored, score
from rag.answers.units import CODE, Unit, units, whole
from rag.errors import ModelError
from rag.generators.base import GeneratorSettings
from rag.models import token_bits
from rag.models.local_model import LocalModel
from rag.parts import Parts
from rag.protocols import SpannedEncoder
from rag.types import Bits, Chunk, Floats, Passage, Question, Quote, Reply

# The first line of an item of a numbered list.
_STEP = re.compile(r"\d{1,3}[.)] ")
NOTICE = "Quoted from the documents; no language model wrote this."


class ExtractiveSettings(GeneratorSettings, frozen=True):
    """sentences: at most so many pieces: a sentence, a row, a definition, a list. within: the least share of
    the best one's likelihood. words: no further piece makes the answer longer than that."""

    kind: Literal["extractive"] = "extractive"
    sentences: PositiveInt = 3
    within: Annotated[float, Field(ge=0.0, le=1.0)] = 0.15
    words: PositiveInt = 66

    def local_model(self, tokens: LocalModel) -> LocalModel:
        return tokens

    def build(self, parts: Parts) -> ExtractiveGenerator:
        return ExtractiveGenerator(parts, self)


class ExtractiveGenerator:
    name = "extractive"

    def __init__(self, parts: Parts, settings: ExtractiveSettings) -> None:
        self._encoder, self._stored = parts.encoder, parts.tokens
        self._settings = settings

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
        ranked = self.rank(question, passages)
        chosen = [one.unit for one in self._choose(ranked)]
        opposed = in_disagreement(chosen, [one.unit for one in ranked], passages)
        shown = _together(opposed or chosen)
        quotes, lines = [], [DISAGREE] if opposed else []
        for unit, own in shown:
            lines += _marked(unit, own)
            quotes.append(Quote(unit.passage, "\n".join(own), unit.start, unit.end))
        return Reply("\n".join(lines), notice=NOTICE, quotes=tuple(quotes))

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        reply = self.generate(question, passages)
        yield reply.text
        yield reply

    def rank(self, question: Question, passages: Sequence[Passage]) -> list[Scored]:
        """All that could be quoted, the best first."""
        found = [unit for unit in units(passages) if unit.answers] or whole(passages)
        return score(question.text, found, passages, self.likeness(question, passages))

    def likeness(self, question: Question, passages: Sequence[Passage]) -> list[Likeness]:
        encoder = self._encoder()
        vectors = question.vectors
        if vectors is None or vectors.tokens is None:
            vectors = encoder.embed_question(question.text)
        if vectors.tokens is None:
            raise ModelError("extractive answers need a model with token vectors")
        chunks = [passage.chunk for passage in passages]
        found = self._stored.tokens(chunks)
        return [_likeness(encoder, vectors.tokens, *pair) for pair in zip(chunks, found, strict=True)]

    def _choose(self, ranked: Sequence[Scored]) -> list[Scored]:
        """The best, and those nearly as good that add something and leave the answer short."""
        settings = self._settings
        best = ranked[0]
        chosen = [best]
        words = best.unit.words
        for one in ranked[1:]:
            if len(chosen) == settings.sentences or one.likelihood < settings.within * best.likelihood:
                break
            if words + one.unit.words > settings.words or any(_repeats(one.unit, c.unit) for c in chosen):
                continue
            chosen.append(one)
            words += one.unit.words
        return chosen


def _likeness(encoder: SpannedEncoder, asked: Floats, chunk: Chunk, stored: Bits | None) -> Likeness:
    import numpy as np

    if stored is not None:
        cosines = token_bits.cosines(asked, stored)
    else:
        cosines = asked @ encoder.embed_tokens([chunk.reading])[0].T
    spans = np.array(encoder.token_spans(chunk.reading)[: cosines.shape[1]], np.int64).reshape(-1, 2)
    spans += chunk.end - len(chunk.reading)
    return Likeness(cosines[:, : len(spans)], spans[:, 0], spans[:, 1], chunk.start)


def _repeats(unit: Unit, said: Unit) -> bool:
    """One shows what the other shows."""
    if unit.passage == said.passage and unit.start < said.end and said.start < unit.end:
        return True
    ours, theirs = " ".join(unit.lines), " ".join(said.lines)
    return unit.core in theirs or said.core in ours


def _together(chosen: Sequence[Unit]) -> list[tuple[Unit, tuple[str, ...]]]:
    """What stands under one heading row, term or announcement, under one, which is not said twice, and in
    the document's order; so are the items of a numbered list."""
    left, shown = list(chosen), list[tuple[Unit, tuple[str, ...]]]()
    while left:
        first = left.pop(0)
        same = [unit for unit in left if _stand_together(first, unit)]
        left = [unit for unit in left if unit not in same]
        under = len(first.lines) > 1
        for at, unit in enumerate(sorted([first, *same], key=lambda unit: unit.start)):
            shown.append((unit, unit.lines[1:] if at and under else unit.lines))
    return shown


def _stand_together(first: Unit, unit: Unit) -> bool:
    if unit.passage != first.passage:
        return False
    if len(first.lines) > 1:
        return len(unit.lines) > 1 and unit.lines[0] == first.lines[0]
    return bool(_STEP.match(first.lines[0]) and _STEP.match(unit.lines[0]))


def _marked(unit: Unit, lines: Sequence[str]) -> list[str]:
    """Its number at the end of its last line that is not code; of a procedure at each step."""
    prose = [at for at, line in enumerate(lines) if not line.startswith(CODE)]
    if not prose:
        return [*lines, f"[{unit.passage}]"]
    ends = set(prose) if unit.steps else {prose[-1]}
    return [f"{line} [{unit.passage}]" if at in ends else line for at, line in enumerate(lines)]
