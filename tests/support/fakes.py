"""Fakes of our own protocols: ordinary classes, no patching."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rag.models import token_bits
from rag.types import (
    Bits,
    Candidate,
    Chunk,
    EmbedderCard,
    Floats,
    Passage,
    PassageVectors,
    Question,
    QuestionVectors,
    Reply,
    RerankerCard,
    Scores,
)


class WordEmbedder:
    """A bag of hashed words: instant, deterministic, and counts every text it is asked to encode."""

    def __init__(
        self, dimension: int = 64, name: str = "words", revision: str = "1", tokens: bool = True
    ) -> None:
        self.card = EmbedderCard(name, revision, dimension, window=128, tokens=tokens)
        self.encoded: list[str] = []

    def load(self) -> None:
        """There is nothing to load."""

    def sizer(self) -> Callable[[str], int]:
        return count_words

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        self.encoded += texts
        return [
            PassageVectors(_unit(t.sum(axis=0)), token_bits.pack(t) if self.card.tokens else None)
            for t in self.embed_tokens(texts)
        ]

    def embed_question(self, text: str) -> QuestionVectors:
        tokens = self.embed_tokens([text])[0]
        return QuestionVectors(_unit(tokens.sum(axis=0)), tokens if self.card.tokens else None)

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        return [self.embed_question(text) for text in texts]

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]:
        return [np.stack([self._word(w) for w in re.findall(r"\w+", t.lower()) or [""]]) for t in texts]

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)] or [(0, len(text))]

    def _word(self, word: str) -> Floats:
        seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "replace")).digest()[:4], "big")
        return _unit(np.random.RandomState(seed).standard_normal(self.card.dimension).astype(np.float32))


def count_words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


class NothingStored:
    """A catalog that holds no token vectors."""

    def tokens(self, chunks: Sequence[Chunk]) -> Sequence[Bits | None]:
        return [None] * len(chunks)


class ListedScores:
    """A reranker that returns the scores it was given."""

    def __init__(self, values: Sequence[float], ranks: bool = True) -> None:
        self.card = RerankerCard("listed")
        self.values = tuple(values)
        self.ranks = ranks
        self.calls = 0

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        self.calls += 1
        return Scores(self.values[: len(candidates)], ranks=self.ranks)


class EchoGenerator:
    """Replies with a fixed text; remembers what it was asked."""

    name = "echo"

    def __init__(self, text: str = "It is so [1].") -> None:
        self.text = text
        self.asked: list[tuple[str, int]] = []

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
        self.asked.append((question.text, len(passages)))
        return Reply(self.text, written_by="echo")

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        reply = self.generate(question, passages)
        yield from reply.text.split(" ")
        yield reply


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit
