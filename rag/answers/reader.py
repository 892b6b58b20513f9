"""Whether a passage answers the question: similarity tells what it is about, not what it says.

A reader is a cross-encoder with one job. It reads what selection has kept, and nothing more. What it
says and how relevant the best passage is make one number: how likely the answer is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from rag.calibration import log_odds, sigmoid
from rag.errors import ConfigError, InputError, ModelError
from rag.files.shipped import reader_model
from rag.models.choice import Precision, Runtime
from rag.models.cross_encoder import load_cross_encoder
from rag.models.folder import find_model
from rag.models.local_model import LocalModel
from rag.models.reading import RECORD, load_reading
from rag.parts import PartSettings
from rag.types import Passage, Reading, ReadTrace

# A relevance of 1 by an isotonic line would outweigh whatever is read.
_LEAST = 1e-4
_NOWHERE = np.zeros(0, np.int64)
_UNMARKED = np.zeros(0, np.float32)


class Scale(BaseModel, frozen=True, extra="forbid"):
    """From the best passage's relevance and what was read, both as logits, to P(the answer is there).

    `threshold` is the least of it that is answered.
    """

    relevance: float = 0.0
    reading: float = 1.0
    bias: float = 0.0
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    fitted_on: str = ""


class NoReaderSettings(PartSettings, frozen=True):
    kind: Literal["none"]

    def build(self) -> None:
        return None


class BundledReaderSettings(PartSettings, frozen=True):
    """The reader that comes with rag. model: a folder that `rag train --reader` made, instead. passages: at
    most so many of the selected ones are read, the most relevant first. threshold: null refuses nothing by
    itself, the answer's confidence goes by what was read."""

    kind: Literal["bundled"] = "bundled"
    model: Path | None = None
    passages: PositiveInt = 5
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    precision: Precision = "auto"
    # A passage a batch: five of them leave no core waiting for the other.
    batch_tokens: PositiveInt = 256

    def build(self) -> PassageReader:
        name, folder = str(self.model or "the bundled reader"), self._folder()

        def load() -> Reads:
            model = load_reading(folder, self.precision)
            return lambda question, texts: model.read(question, texts, self.batch_tokens)

        return PassageReader(name, _scaled(folder, self.threshold or 0.0), self.passages, load)

    def local_model(self, tokens: LocalModel) -> LocalModel:
        return LocalModel(str(self._folder()), None, "marks", precision=self.precision)

    def _folder(self) -> Path:
        folder = self.model or reader_model()
        if not (folder / RECORD).is_file():
            raise ModelError(f"reader.model {str(folder)!r} cannot be used: it has no {RECORD}")
        return folder


class CrossEncoderReaderSettings(PartSettings, frozen=True):
    """A cross-encoder of one's own, which marks no words. model: a folder or a name; a scale.json in it says
    how to read its scores. The rest as for the bundled reader."""

    kind: Literal["cross-encoder"]
    model: str
    revision: str | None = None
    trusted: bool = False
    device: str | None = None
    passages: PositiveInt = 5
    threshold: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    runtime: Runtime = "auto"
    precision: Precision = "auto"
    batch_tokens: PositiveInt = 1024

    def build(self) -> PassageReader:
        with _named(self.model):
            folder = find_model(self.model, self.revision, self.trusted)

        def load() -> Reads:
            model = load_cross_encoder(folder, self.runtime, self.precision, self.device)
            return lambda question, texts: [
                Reading(value, _NOWHERE, _NOWHERE, _UNMARKED)
                for value in model.score(question, texts, None, self.batch_tokens)[0]
            ]

        return PassageReader(self.model, _scaled(folder, self.threshold), self.passages, load)

    def local_model(self, tokens: LocalModel) -> LocalModel:
        return LocalModel(
            self.model, self.revision, "pairs", self.runtime, self.precision, self.device, self.trusted
        )


AnyReaderSettings = Annotated[
    NoReaderSettings | BundledReaderSettings | CrossEncoderReaderSettings, Field(discriminator="kind")
]

# A model for one question and some texts.
Reads = Callable[[str, Sequence[str]], list[Reading]]


@dataclass(frozen=True, slots=True)
class Read:
    """What the selected passages say to a question: as a trace, and by the passage's id what was read."""

    trace: ReadTrace
    readings: Mapping[str, Reading] = field(default_factory=dict)


class Reader(Protocol):
    def read(self, question: str, texts: Sequence[str]) -> list[Reading]: ...

    def judge(self, question: str, passages: Sequence[Passage]) -> Read:
        """Reads the best passages, and says how likely they answer the question."""
        ...

    def load(self) -> None: ...

    @property
    def told(self) -> str:
        """Who reads, and where it refuses."""
        ...


class PassageReader:
    """The model is loaded when something is to be read: a search, or a question that nothing is
    relevant to, never pays for it."""

    def __init__(self, name: str, scale: Scale, passages: int, load: Callable[[], Reads]) -> None:
        self.scale = scale
        self._name = name
        self._passages = passages
        self._loading = load

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:
        readings = self._model(question, texts)
        if not all(math.isfinite(reading.logit) for reading in readings):
            raise ModelError(
                f"reader.model {self._name!r} gave a score that is not finite for {question[:80]!r}"
            )
        return readings

    def judge(self, question: str, passages: Sequence[Passage]) -> Read:
        best = sorted(passages, key=lambda passage: passage.rank)[: self._passages]
        texts = [passage.chunk.reading for passage in best]
        try:
            readings = self.read(question, texts)
        except InputError as error:  # a question as long as the window
            return Read(ReadTrace(self._name, "skipped", str(error)))
        values = [reading.logit for reading in readings]
        found = probability(self.scale, *evidence([passage.relevance for passage in best], values))
        ids = [passage.chunk.id for passage in best]
        scores = tuple(zip(ids, map(sigmoid, values), strict=True))
        cut = sum(_is_cut(reading, text) for reading, text in zip(readings, texts, strict=True))
        trace = ReadTrace(self._name, "ok", "", found, self.scale.threshold, scores, cut)
        return Read(trace, dict(zip(ids, readings, strict=True)))

    @property
    def told(self) -> str:
        fitted = self.scale.fitted_on or "not fitted: its scores are taken for logits"
        return f"{self._name}; threshold {self.scale.threshold:g}; scale: {fitted}"

    def load(self) -> None:
        self.read("Is anybody there?", ["Somebody is there."])

    @cached_property
    def _model(self) -> Reads:
        with _named(self._name):
            return self._loading()


def _is_cut(reading: Reading, text: str) -> bool:
    return bool(len(reading.ends)) and int(reading.ends[-1]) < len(text.rstrip())


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


def _scaled(folder: Path, threshold: float | None) -> Scale:
    scale = read_scale(folder)
    return scale if threshold is None else scale.model_copy(update={"threshold": threshold})


def read_scale(folder: Path) -> Scale:
    """What the model's maker found its scores to mean; without it they are taken for logits."""
    path = folder / "scale.json"
    if not path.exists():
        return Scale()
    try:
        return Scale.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read as the scale of a reader: {error}") from error
