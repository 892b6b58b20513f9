"""Bi-encoders in sentence-transformers' form: any name or folder; all-MiniLM-L6-v2 without a hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import PositiveInt

from rag.embedders.base import EmbedderSettings
from rag.embedders.card import describe
from rag.errors import ModelError
from rag.models import token_bits
from rag.models.bi_encoder import BiEncoder, load_bi_encoder
from rag.models.choice import Precision, Runtime
from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.local_model import LocalModel
from rag.models.tokenizer import load_tokenizer, tokens_of
from rag.models.tokens import Tokens
from rag.types import EmbedderCard, Floats, PassageVectors, QuestionVectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class SentenceTransformersSettings(EmbedderSettings, frozen=True):
    """runtime: auto takes OpenVINO on a CPU for models of the BERT family, torch for all others.
    precision: auto takes bf16 where the processor computes in it (cosine to fp32 above 0.999), fp32
    elsewhere. batch_tokens: padded tokens a batch. trusted: the model's files may run code: pickled weights,
    modules of its own.
    """

    kind: Literal["sentence-transformers"] = "sentence-transformers"
    model: str = BUNDLED_NAME
    revision: str | None = None
    trusted: bool = False
    device: str | None = None
    question_prompt: str | None = None
    passage_prompt: str | None = None
    token_bits: bool = True
    runtime: Runtime = "auto"
    precision: Precision = "auto"
    batch_tokens: PositiveInt = 1024

    def token_model(self) -> LocalModel | None:
        return self.local_model() if self.token_bits else None

    def local_model(self, tokens: LocalModel | None = None) -> LocalModel:
        return LocalModel(
            self.model, self.revision, "sentences", self.runtime, self.precision, self.device, self.trusted
        )

    def build(self) -> SentenceTransformersEmbedder:
        return SentenceTransformersEmbedder(self)


class SentenceTransformersEmbedder:
    """One pass of the model gives the passage vector and the token vectors.

    The card comes from the model's files: the model is loaded when the first text must be encoded,
    so an ingest that finds nothing new never pays for it.
    """

    def __init__(self, settings: SentenceTransformersSettings) -> None:
        self._settings = settings
        self._folder = find_model(settings.model, settings.revision, settings.trusted)
        described = describe(self._folder, settings.model, settings.question_prompt, settings.passage_prompt)
        self.card = EmbedderCard(
            described.name,
            # Vectors of int8 lie a little beside those of the model itself: never in one index with them.
            described.revision + ("-int8" if settings.precision == "int8" else ""),
            described.dimension,
            described.window,
            described.question_prompt,
            described.passage_prompt,
            tokens=settings.token_bits,
        )

    def sizer(self) -> Tokenizer:
        return self._tokenizer

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        encoded = self._encode([self.card.passage_prompt + text for text in texts])
        if not self.card.tokens:
            return [PassageVectors(vector) for vector, _ in encoded]
        return [PassageVectors(vector, token_bits.pack(tokens)) for vector, tokens in encoded]

    def embed_question(self, text: str) -> QuestionVectors:
        return self.embed_questions([text])[0]

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        """A question longer than the window is read in pieces: it is never cut."""
        pieces = [self._windows(self.card.question_prompt + text) for text in texts]
        encoded = iter(self._encode([piece for windows in pieces for piece in windows]))
        return [self._question([next(encoded) for _ in windows]) for windows in pieces]

    def _question(self, windows: Sequence[tuple[Floats, Floats]]) -> QuestionVectors:
        weights = np.array([len(tokens) for _, tokens in windows], dtype=np.float32)
        vector = _normalise(weights @ np.stack([vector for vector, _ in windows]))
        if not self.card.tokens:
            return QuestionVectors(vector)
        return QuestionVectors(vector, token_bits.unit(np.concatenate([tokens for _, tokens in windows])))

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]:
        encoded = self._encode([self.card.passage_prompt + text for text in texts])
        return [token_bits.unit(tokens) for _, tokens in encoded]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Of a text longer than the window the tokens beyond it too."""
        prompt = len(self.card.passage_prompt)
        encoded = self._tokenizer.encode(self.card.passage_prompt + text)
        spans = zip(encoded.ids, encoded.offsets, strict=True)
        return [(start - prompt, end - prompt) for id_, (start, end) in spans if id_ not in self._markers]

    def load(self) -> None:
        """What the first text would wait for, done now: a runtime prepares for a shape when it meets it."""
        self.embed_question("What does the first question of a process wait for?")

    @cached_property
    def _model(self) -> BiEncoder:
        s = self._settings
        return load_bi_encoder(self._folder, s.runtime, s.precision, s.device)

    def _windows(self, text: str) -> list[str]:
        room = self.card.window - self._tokenizer.num_special_tokens_to_add(False)
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= room:
            return [text]
        pieces = [offsets[at : at + room] for at in range(0, len(offsets), room)]
        return [text[piece[0][0] : piece[-1][1]] for piece in pieces]

    @property
    def _tokenizer(self) -> Tokenizer:
        return load_tokenizer(self._folder)

    @cached_property
    def _markers(self) -> frozenset[int]:
        """What the tokenizer puts around every text: no part in late interaction."""
        return frozenset(self._tokenizer.encode("").ids)

    def _encode(self, texts: Sequence[str]) -> list[tuple[Floats, Floats]]:
        """Vector of unit length and rotated token vectors of each text, in the order given."""
        tokens = tokens_of(self._tokenizer, texts, self.card.window)
        outputs = self._model.encode(tokens, self._settings.batch_tokens)
        return [self._check(vector, rows, text) for (vector, rows), text in zip(outputs, tokens, strict=True)]

    def _check(self, vector: Floats, rows: Floats, text: Tokens) -> tuple[Floats, Floats]:
        if not np.isfinite(vector).all():
            raise ModelError(f"{self.card.name} returned a vector that is not finite")
        words = [at for at, id_ in enumerate(text.ids) if id_ not in self._markers]
        # An empty text has markers alone: keep them, so that every passage has at least one token.
        return _normalise(vector), rows[words or list(range(len(text)))]


def _normalise(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
