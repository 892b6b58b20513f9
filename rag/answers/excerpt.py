"""The place of a passage that matched a question, in a line, and where the words that matched stand in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from rag.answers.sentences import Span
from rag.answers.visible import visible
from rag.answers.words import stems
from rag.types import Chunk

_WORD = re.compile(r"\w+")
_END = re.compile(r"[.!?:]\s")
# An excerpt begins with its sentence, if that is so near.
_RUN_UP = 60
# Letters of a word from which on a longer one may be a form of it.
_ALIKE = 4


@dataclass(frozen=True, slots=True)
class Excerpt:
    text: str
    marks: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    stem: str


def excerpt(question: str, chunk: Chunk, width: int = 160) -> Excerpt:
    """The stretch that holds most of the question's words, and of those the rarest in the passage."""
    text = " ".join(visible(chunk.text, chunk.markup).split())
    matches = _matches(question, text)
    start = _start(text, matches, width)
    end = _word_end(text, start + width)
    shift = (1 if start else 0) - start
    inside = [match for match in matches if start <= match.start and match.end <= end]
    return Excerpt(
        f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}",
        tuple((match.start + shift, match.end + shift) for match in inside),
    )


def whole_passage(question: str, chunk: Chunk) -> Excerpt:
    """All of it, in its lines."""
    text = visible(chunk.text, chunk.markup, chunk.lead)
    return Excerpt(text, tuple((match.start, match.end) for match in _matches(question, text)))


def _matches(question: str, text: str) -> list[_Match]:
    wanted = stems(question)
    found = [(word, _same(word[0], wanted)) for word in _WORD.finditer(text)]
    return [_Match(*word.span(), stem) for word, stem in found if stem]


def _same(word: str, wanted: Set[str]) -> str:
    """Which of the wanted stems it has: `fuses` that of `fuse`."""
    for mine in stems(word):
        if mine in wanted:
            return mine
        if len(mine) >= _ALIKE:
            alike = (s for s in wanted if len(s) >= _ALIKE and (s.startswith(mine) or mine.startswith(s)))
            return next(alike, "")
    return ""


def _start(text: str, matches: Sequence[_Match], width: int) -> int:
    if not matches:
        return 0
    spread = Counter(match.stem for match in matches)

    def worth(first: _Match) -> float:
        near = {m.stem for m in matches if first.start <= m.start and m.end <= first.start + width - _RUN_UP}
        return sum(1 + 1 / spread[stem] for stem in near)

    best = max(matches, key=worth)  # of equals the first
    return _sentence_start(text, best.start)


def _sentence_start(text: str, at: int) -> int:
    if at <= _RUN_UP:
        return 0
    ends = [match.end() for match in _END.finditer(text, at - _RUN_UP, at)]
    return ends[-1] if ends else text.rfind(" ", 0, at - _RUN_UP // 3) + 1


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    return max(text.rfind(" ", 0, at), at - 20)
