"""What a collection says of itself: each title or heading, with what stands under it; a first sentence, with
the rest.

Nobody has to label that. It keeps the model near what it could do before, and teaches it the
collection's words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from rag.answers.sentences import sentences
from rag.evaluation.naming import Naming
from rag.training.lessons.lesson import Lesson, Text
from rag.types import Chunk

_FEWEST_WORDS = 20
_SHORTEST = 3


def title_lessons(chunks: Iterable[Chunk], named: Naming, most: int, seed: int) -> list[Lesson]:
    """At most so many, drawn by the seed; of the passages under one title the first."""
    first: dict[tuple[str, tuple[str, ...]], Chunk] = {}
    for chunk in chunks:
        held = first.get((chunk.source, chunk.headings))
        if held is None or chunk.start < held.start:
            first[chunk.source, chunk.headings] = chunk
    made = (_lesson(chunk, named.document(chunk.source)) for _, chunk in sorted(first.items()))
    found = [lesson for lesson in made if lesson is not None]
    return random.Random(seed).sample(found, min(most, len(found)))


def _lesson(chunk: Chunk, document: str) -> Lesson | None:
    """The passage without what asks for it, which would give the answer away."""
    title, text = _title(chunk.headings), chunk.text
    if not title:
        title, text = _opening(chunk.text)
    if len(title.split()) < _SHORTEST or len(text.split()) < _FEWEST_WORDS:
        return None
    return Lesson(title, (Text(document, text),), (1.0,), answering=frozenset({document}))


def _title(headings: tuple[str, ...]) -> str:
    """The nearest two: a heading such as “Usage” says nothing without the one above it."""
    return ": ".join(dict.fromkeys(heading.strip() for heading in headings[-2:] if heading.strip()))


def _opening(text: str) -> tuple[str, str]:
    """The first sentence, and the rest."""
    start, end = next(iter(sentences(text)), (0, 0))
    return text[start:end].strip(), text[end:].strip()
