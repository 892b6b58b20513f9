"""Cross-encoders: any name or folder, read as raw logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import PositiveInt

from rag.calibration import Transform
from rag.errors import ModelError
from rag.models.choice import Precision, Runtime
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.models.folder import find_model
from rag.models.local_model import LocalModel
from rag.parts import Parts
from rag.rerankers.base import CallStyle, RerankerSettings
from rag.rerankers.fields import reading
from rag.types import Candidate, Question, RerankerCard, Scores

# A deadline is looked at between two calls of so many passages.
_PASSAGES_A_CALL = 8


class CrossEncoderSettings(RerankerSettings, frozen=True):
    """trusted, runtime, precision and batch_tokens: as for the embedder."""

    transform: ClassVar[Transform] = "identity"

    kind: Literal["cross-encoder"]
    model: str = "cross-encoder/ms-marco-MiniLM-L6-v2"
    revision: str | None = None
    trusted: bool = False
    device: str | None = None
    runtime: Runtime = "auto"
    precision: Precision = "auto"
    batch_tokens: PositiveInt = 1024
    max_length: PositiveInt | None = None

    def call_style(self) -> CallStyle:
        return CallStyle(size=_PASSAGES_A_CALL, cached=True)

    def local_model(self, tokens: LocalModel) -> LocalModel:
        return LocalModel(
            self.model, self.revision, "pairs", self.runtime, self.precision, self.device, self.trusted
        )

    def build(self, parts: Parts) -> CrossEncoderReranker:
        return CrossEncoderReranker(self, parts.place)


class CrossEncoderReranker:
    def __init__(self, settings: CrossEncoderSettings, place: str) -> None:
        self.card = RerankerCard("cross-encoder", settings.model)
        self._settings = settings
        self._model = _load(settings, place)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        if not candidates:
            return Scores(())
        s = self._settings
        texts = [reading(candidate.chunk, s.fields) for candidate in candidates]
        values, cut = self._model.score(question.text, texts, s.max_length, s.batch_tokens)
        return Scores(tuple(values), truncated=cut)


def _load(settings: CrossEncoderSettings, place: str) -> CrossEncoder:
    try:
        folder = find_model(settings.model, settings.revision, settings.trusted)
        return load_cross_encoder(folder, settings.runtime, settings.precision, settings.device)
    except ModelError as error:
        raise ModelError(f"{place}.model {settings.model!r} cannot be used: {error}") from error
