"""An embedder that hashes words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from rag.embedders.base import EmbedderSettings
from rag.types import EmbedderCard, Floats, PassageVectors, QuestionVectors


class HashedSettings(EmbedderSettings, frozen=True):
    kind: Literal["hashed"]

    def build(self) -> HashedEmbedder:
        return HashedEmbedder()


class HashedEmbedder:
    card = EmbedderCard("hashed", "1", 256, window=256)

    def load(self) -> None:
        """There is nothing to load."""

    def sizer(self) -> Callable[[str], int]:
        return lambda text: len(text.split())

    def embed_passages(self, texts: Sequence[str]) -> list[PassageVectors]:
        return [PassageVectors(_vector(text)) for text in texts]

    def embed_question(self, text: str) -> QuestionVectors:
        return QuestionVectors(_vector(text))

    def embed_questions(self, texts: Sequence[str]) -> list[QuestionVectors]:
        return [self.embed_question(text) for text in texts]


def _vector(text: str) -> Floats:
    vector = np.full(256, 1e-6, np.float32)
    for word in text.lower().split():
        vector[hashlib.sha256(word.encode()).digest()[0]] += 1.0
    return vector / np.float32(np.linalg.norm(vector))
