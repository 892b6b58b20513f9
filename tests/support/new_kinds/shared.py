"""A reranker that counts the words that question and passage share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rag.parts import Parts
from rag.rerankers.base import RerankerSettings
from rag.types import Candidate, Question, RerankerCard, Scores


class SharedSettings(RerankerSettings, frozen=True):
    kind: Literal["shared"]

    def build(self, parts: Parts) -> SharedWords:
        return SharedWords()


class SharedWords:
    card = RerankerCard("shared")

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        words = {*question.text.lower().split()}
        read = [{*candidate.chunk.text.lower().split()} for candidate in candidates]
        return Scores(tuple(len(words & theirs) / len(words) for theirs in read))
