"""What a reader learns from: a question, passages that answer it, and passages that only speak of the same.

Most of the latter are natural: found for the question, with no answer in them. Fewer are adverse: made so
that little but the answer is missing. What is learned from these alone makes worse of the natural ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.answers.sentences import sentences

# near: found for the question. The others are adverse: impossible, a question written to look answerable;
# removed, a passage without the sentence that answers; swapped, another name or number in the question;
# silent, an entry that does not say what is asked of it.
Kind = Literal["", "near", "impossible", "removed", "swapped", "silent"]

# A first line of more words is no heading.
_HEADING = 18
_HEADINGS_KEPT = 0.8
_ADVERSE = 0.4
_SECOND_NATURAL = 0.3
_TWO_NATURAL = 0.5
_SPARED = 0.3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Item:
    """One passage under one question. `answer`: its words, where they are known. `kind`: of what kind a
    passage is that does not answer."""

    question: str
    passage: str
    answers: bool
    answer: str = ""
    kind: Kind = ""


@dataclass(frozen=True, slots=True)
class Group:
    """`document`: whose questions are held out together."""

    origin: str
    question: str
    items: tuple[Item, ...]
    document: str = ""


def drawn(group: Group, rng: random.Random, short: bool) -> list[Item]:
    """Each time one passage that answers and one or two that do not, and not all of their words."""
    right = [item for item in group.items if item.answers]
    natural = [item for item in group.items if item.kind == "near"]
    adverse = [item for item in group.items if not item.answers and item.kind != "near"]
    chosen = rng.sample(right, min(1, len(right)))
    if adverse and (rng.random() < _ADVERSE or not natural):
        chosen += rng.sample(adverse, 1)
        chosen += rng.sample(natural, 1) if natural and rng.random() < _SECOND_NATURAL else []
    else:
        chosen += rng.sample(natural, min(len(natural), 1 + (rng.random() < _TWO_NATURAL)))
    return [_cropped(item, rng, short) for item in chosen]


def _cropped(item: Item, rng: random.Random, short: bool) -> Item:
    words = rng.randint(12, 60) if short else rng.randint(30, 170)
    text, answer = item.passage, item.answer
    if len(text.split()) <= words:
        return item
    heading, _, body = text.partition("\n")
    if len(heading.split()) > _HEADING or not body:
        heading, body = "", text
    if item.answers and (not answer or answer.lower() not in body.lower()):
        kept = " ".join(body.split(" ")[: words + 25])
    else:
        kept = window_around(body, answer if item.answers else "", item.question, rng, words)
    passage = f"{heading}\n{kept}" if heading and rng.random() < _HEADINGS_KEPT else kept
    return Item(item.question, passage, item.answers, answer, item.kind)


def window_around(text: str, answer: str, question: str, rng: random.Random, words: int) -> str:
    """Neighbouring sentences, the answer somewhere among them; sometimes one of no concern is missing."""
    spans = sentences(text)
    if not spans:
        return text
    at = rng.randrange(len(spans))
    if answer:
        place = place_of(text, answer, question)
        at = next((i for i, (start, end) in enumerate(spans) if start <= place < end), -1)
        if at < 0:
            return text
    first, last = at, at + 1
    room = words - len(text[slice(*spans[at])].split())
    while (first > 0 or last < len(spans)) and room > 0:
        back = first > 0 and (rng.random() < 0.5 or last == len(spans))
        room -= len(text[slice(*spans[first - 1 if back else last])].split())
        first, last = (first - 1, last) if back else (first, last + 1)
    if last - first > 3 and rng.random() < _SPARED:
        gone = rng.choice([i for i in range(first, last) if i != at])
        return " ".join(text[slice(*spans[i])] for i in range(first, last) if i != gone)
    return text[spans[first][0] : spans[last - 1][1]]


def place_of(passage: str, answer: str, question: str) -> int:
    """Where the answer stands; of several places that in the sentence which shares most with the question."""
    starts = [found.start() for found in re.finditer(re.escape(answer.lower()), passage.lower())]
    if len(starts) < 2:
        return starts[0] if starts else -1
    words, spans = set(_WORD.findall(question.lower())), sentences(passage)

    def shared(at: int) -> int:
        sentence = next((passage[start:end] for start, end in spans if start <= at < end), "")
        return len(words & set(_WORD.findall(sentence.lower())))

    return max(starts, key=shared)


def held(answers: Sequence[str], text: str) -> str:
    """The answer that stands in the text; empty where none does."""
    lowered = text.lower()
    return next((answer for answer in answers if answer and answer.lower() in lowered), "")
