"""What a collection says of itself: each title or heading, with what stands under it.

Nobody has to label that. It keeps the model near what it could do before, and teaches it the
collection's words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from rag.evaluation.naming import Naming
from rag.training.lessons import Lesson, Text
from rag.types import Chunk

_FEWEST_WORDS = 20
_SHORTEST = 3


def title_lessons(chunks: Iterable[Chunk], named: Naming, most: int, seed: int) -> list[Lesson]:
    """At most so many, drawn by the seed; of the passages under one title the first."""
    first: dict[tuple[str, tuple[str, ...]], Chunk] = {}
    for chunk in chunks:
        if chunk.headings and len(chunk.text.split()) >= _FEWEST_WORDS:
            held = first.get((chunk.source, chunk.headings))
            if held is None or chunk.start < held.start:
                first[chunk.source, chunk.headings] = chunk
    found = [
        _lesson(chunk, title, named.document(chunk.source))
        for (_, headings), chunk in sorted(first.items())
        if len((title := _title(headings)).split()) >= _SHORTEST
    ]
    return random.Random(seed).sample(found, min(most, len(found)))


def _title(headings: tuple[str, ...]) -> str:
    """The nearest two: a heading such as “Usage” says nothing without the one above it."""
    return ": ".join(dict.fromkeys(heading.strip() for heading in headings[-2:] if heading.strip()))


def _lesson(chunk: Chunk, title: str, document: str) -> Lesson:
    """The passage without its headings, which would give the answer away."""
    return Lesson(title, (Text(document, chunk.text),), (1.0,), answering=frozenset({document}))
