"""The default: for each token of the question the best cosine among the passage's tokens, averaged.

The passage's tokens were encoded at ingest and kept as bits, so this costs a lookup. Where they
were not kept (an API embedder, other fields, float precision, another model), the passages are
encoded on the spot, and the scores say how many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from rag.errors import ModelError
from rag.models import token_bits
from rag.models.local_model import LocalModel
from rag.parts import Parts
from rag.protocols import TokenEncoder, TokenSource
from rag.rerankers.base import RerankerSettings
from rag.rerankers.fields import reading
from rag.rerankers.multi_vector import MultiVectorTokens
from rag.threads.one_a_core import in_turn
from rag.types import Bits, Candidate, Floats, Question, RerankerCard, Scores

Precision = Literal["1bit", "float"]


class LateInteractionSettings(RerankerSettings, frozen=True):
    """`model` names a MultiVectorEncoder (ColBERT and its kin) to read with instead of the embedder."""

    kind: Literal["late-interaction"] = "late-interaction"
    precision: Precision = "1bit"
    model: str | None = None
    trusted: bool = False
    device: str | None = None

    def local_model(self, tokens: LocalModel) -> LocalModel:
        if self.model is None:
            return tokens
        return LocalModel(self.model, reads="tokens", device=self.device, trusted=self.trusted)

    def build(self, parts: Parts) -> LateInteraction:
        card = RerankerCard("late-interaction", self.model or "")
        stored = self.precision == "1bit" and self.fields is None and self.model is None
        return LateInteraction(
            card, parts.tokens if stored else None, self._encoder(parts), self.precision, self.fields
        )

    def _encoder(self, parts: Parts) -> Callable[[], TokenEncoder]:
        model = self.model
        if model is None:
            return parts.encoder
        return lambda: MultiVectorTokens(model, self.device, parts.place, self.trusted)


class LateInteraction:
    def __init__(
        self,
        card: RerankerCard,
        stored: TokenSource | None,
        encoder: Callable[[], TokenEncoder],
        precision: Precision,
        fields: Sequence[str] | None,
    ) -> None:
        self.card = card
        self._stored = stored
        self._make_encoder = encoder
        self._precision = precision
        self._fields = fields

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        asked = self._question_tokens(question)
        values, missing = in_turn(lambda: self._read(asked, candidates))
        if missing:
            values[missing] = self._encoded_now(asked, [candidates[i] for i in missing])
        return Scores(tuple(float(v) for v in values), encoded=len(missing))

    def _read(self, asked: Floats, candidates: Sequence[Candidate]) -> tuple[Floats, list[int]]:
        """The scores by the bits that ingest kept, and the places of those that have none."""
        kept = (
            self._stored.tokens([c.chunk for c in candidates]) if self._stored else [None] * len(candidates)
        )
        missing = [i for i, bits in enumerate(kept) if bits is None or bits.shape[1] * 8 != asked.shape[1]]
        values = np.zeros(len(candidates), np.float32)
        absent = set(missing)
        stored = [(i, bits) for i, bits in enumerate(kept) if bits is not None and i not in absent]
        if stored:
            values[[i for i, _ in stored]] = token_bits.maxsim_bits(asked, [bits for _, bits in stored])
        return values, missing

    def _encoded_now(self, asked: Floats, candidates: Sequence[Candidate]) -> Floats:
        tokens = self._encoder.embed_tokens([reading(c.chunk, self._fields) for c in candidates])
        if self._precision == "float":
            return token_bits.maxsim_floats(asked, tokens)
        bits: list[Bits] = [token_bits.pack(t) for t in tokens]
        return token_bits.maxsim_bits(asked, bits)

    def _question_tokens(self, question: Question) -> Floats:
        """The one encoding that served dense search, unless another model reads here."""
        ours = self.card.model == "" and question.vectors is not None
        tokens = question.vectors.tokens if ours and question.vectors else None
        if tokens is None:
            tokens = self._encoder.embed_question(question.text).tokens
        if tokens is None or not len(tokens):
            raise ModelError("late interaction needs token vectors of the question; the model gave none")
        return tokens

    @cached_property
    def _encoder(self) -> TokenEncoder:
        return self._make_encoder()
