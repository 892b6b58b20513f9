"""A generator that says what stands in the first passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rag.generators.base import GeneratorSettings
from rag.parts import Parts
from rag.types import Passage, Question, Reply


class FirstSettings(GeneratorSettings, frozen=True):
    kind: Literal["first"]

    def build(self, parts: Parts) -> FirstPassage:
        return FirstPassage()


class FirstPassage:
    name = "first"

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
        return Reply(f"{passages[0].chunk.text} [1]", written_by=self.name)

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        yield self.generate(question, passages)
