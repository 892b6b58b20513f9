"""What is learned from: a question, passages that answer it, and passages that only look as if they did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.files.whole import write_whole


@dataclass(frozen=True, slots=True)
class Text:
    """A passage as it is read, and the document that it is of."""

    document: str
    reading: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """`right`: with the weights by which one of them is drawn. `answering`: every document that answers the
    question; what comes from one of them never counts as wrong, whatever lesson brought it along.
    """

    question: str
    right: tuple[Text, ...]
    weights: tuple[float, ...]
    wrong: tuple[Text, ...] = ()
    answering: frozenset[str] = frozenset()


def lessons_hash(lessons: Sequence[Lesson]) -> str:
    """Of all that is in them, in their order."""
    digest = hashlib.sha256()
    for lesson in lessons:
        digest.update(json.dumps(_plain(lesson), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def write_lessons(lessons: Sequence[Lesson], path: Path) -> None:
    lines = [json.dumps(_plain(lesson), ensure_ascii=False) + "\n" for lesson in lessons]
    write_whole(path, "".join(lines).encode("utf-8", "surrogatepass"))


def read_lessons(path: Path) -> list[Lesson]:
    lines = path.read_text("utf-8", errors="surrogatepass").split("\n")
    return [_lesson(json.loads(line)) for line in lines if line]


def _plain(lesson: Lesson) -> dict[str, Any]:
    return {**asdict(lesson), "answering": sorted(lesson.answering)}


def _lesson(plain: dict[str, Any]) -> Lesson:
    return Lesson(
        question=plain["question"],
        right=tuple(Text(**text) for text in plain["right"]),
        weights=tuple(plain["weights"]),
        wrong=tuple(Text(**text) for text in plain["wrong"]),
        answering=frozenset(plain["answering"]),
    )
