"""Whether a passage answers the question: similarity tells what it is about, not what it says.

A reader is a cross-encoder with one job. It reads what selection has kept, and nothing more. What it
says and how relevant the best passage is make one number: how likely the answer is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from rag.calibration import log_odds, sigmoid
from rag.errors import ConfigError, InputError, ModelError
from rag.models.choice import Precision, Runtime
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.models.folder import find_model
from rag.models.local_model import LocalModel
from rag.types import Passage, ReadTrace

# A relevance of 1 by an isotonic line would outweigh whatever is read.
_LEAST = 1e-4


class Scale(BaseModel, frozen=True, extra="forbid"):
    """From the best passage's relevance and what was read, both as logits, to P(the answer is there).

    `threshold` is the least of it that is answered.
    """

    relevance: float = 0.0
    reading: float = 1.0
    bias: float = 0.0
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    fitted_on: str = ""


class NoReaderSettings(BaseModel, frozen=True, extra="forbid"):
    kind: Literal["none"] = "none"

    def build(self) -> None:
        return None

    def reads_with(self) -> None:
        return None


class CrossEncoderReaderSettings(BaseModel, frozen=True, extra="forbid"):
    """model: a folder or a name; a reader.json in it says how to read its scores. passages: at most so
    many of the selected ones are read, the most relevant first. threshold: null takes the model's own."""

    kind: Literal["cross-encoder"]
    model: str
    revision: str | None = None
    device: str | None = None
    passages: PositiveInt = 5
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    runtime: Runtime = "auto"
    precision: Precision = "auto"
    batch_tokens: PositiveInt = 1024

    def build(self) -> CrossEncoderReader:
        return CrossEncoderReader(self)

    def reads_with(self) -> LocalModel:
        return LocalModel(self.model, self.revision, "pairs", self.runtime, self.precision, self.device)


ReaderSettings = Annotated[NoReaderSettings | CrossEncoderReaderSettings, Field(discriminator="kind")]


class Reader(Protocol):
    def read(self, question: str, passages: Sequence[Passage]) -> ReadTrace: ...

    def load(self) -> None: ...

    @property
    def told(self) -> str:
        """Who reads, and where it refuses."""
        ...


class CrossEncoderReader:
    """The model is loaded when something is to be read: a search, or a question that nothing is
    relevant to, never pays for it."""

    def __init__(self, settings: CrossEncoderReaderSettings) -> None:
        self._settings = settings
        with _named(settings.model):
            self._folder = find_model(settings.model, settings.revision)
        scale = read_scale(self._folder)
        threshold = settings.threshold
        self.scale = scale if threshold is None else scale.model_copy(update={"threshold": threshold})

    def read(self, question: str, passages: Sequence[Passage]) -> ReadTrace:
        s = self._settings
        best = sorted(passages, key=lambda passage: passage.rank)[: s.passages]
        try:
            values, cut = self._model.score(
                question, [passage.chunk.reading for passage in best], None, s.batch_tokens
            )
        except InputError as error:  # a question as long as the window
            return ReadTrace(s.model, "skipped", str(error))
        if not all(map(math.isfinite, values)):
            raise ModelError(
                f"reader.model {s.model!r} gave a score that is not finite for {question[:80]!r}"
            )
        found = probability(self.scale, *evidence([passage.relevance for passage in best], values))
        scores = tuple(
            (passage.chunk.id, sigmoid(value)) for passage, value in zip(best, values, strict=True)
        )
        return ReadTrace(s.model, "ok", "", found, self.scale.threshold, scores, cut)

    @property
    def told(self) -> str:
        fitted = self.scale.fitted_on or "not fitted: its scores are taken for logits"
        return f"{self._settings.model}; threshold {self.scale.threshold:g}; scale: {fitted}"

    def load(self) -> None:
        self._model.score("Is anybody there?", ["Somebody is there."], None, self._settings.batch_tokens)

    @cached_property
    def _model(self) -> CrossEncoder:
        s = self._settings
        with _named(s.model):
            return load_cross_encoder(self._folder, s.runtime, s.precision, s.device)


def evidence(relevances: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The best relevance as a logit, and the mean of what was read, in which each passage weighs as much
    as the odds that it is relevant: what a passage beside the point says does not count."""
    logits = [log_odds(relevance, _LEAST) for relevance in relevances]
    odds = [math.exp(logit) for logit in logits]
    return max(logits), sum(o * v for o, v in zip(odds, values, strict=True)) / sum(odds)


def probability(scale: Scale, relevance: float, reading: float) -> float:
    """Of two logits."""
    return sigmoid(scale.bias + scale.relevance * relevance + scale.reading * reading)


@contextmanager
def _named(model: str) -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(f"reader.model {model!r} cannot be used: {error}") from error


def read_scale(folder: Path) -> Scale:
    """What the model's maker found its scores to mean; without it they are taken for logits."""
    path = folder / "scale.json"
    if not path.exists():
        return Scale()
    try:
        return Scale.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read as the scale of a reader: {error}") from error
