"""How likely it is that what is shown holds the answer: one number for a whole question, and what follows.

A logistic model over what the stages before have found. Its weights were fitted on training questions
(scripts/fit_confidence.py), once without a reader and once with one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from rag.answers.words import stems
from rag.calibration import log_odds, sigmoid
from rag.errors import ConfigError
from rag.types import AnswerState, Passage

UNSURE = "The documents may not answer this; nearest:"

SHIPPED = Path(__file__).with_name("confidence.json")
_LEAST = 1e-4
_LEAST_MARK = 1e-3

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Risk(BaseModel, frozen=True, extra="forbid"):
    """unsure: of the questions with an answer the share below the threshold. answered: of those without one
    the share above it."""

    threshold: Probability
    unsure: Probability
    answered: Probability


class Model(BaseModel, frozen=True, extra="forbid"):
    """`not_found`: below this confidence nothing is shown. `risks`: what a threshold did to questions that
    were not fitted on."""

    bias: float
    weights: Mapping[str, float]
    not_found: Probability
    risks: tuple[Risk, ...]
    fitted_on: str = ""

    def threshold(self, rate: float) -> float:
        """Below which that share of the questions with an answer is unsure; between two risks a line."""
        known = [(0.0, 0.0), *((risk.unsure, risk.threshold) for risk in self.risks)]
        for (low, from_), (high, to) in pairwise(known):
            if rate <= high:
                return from_ + (to - from_) * (rate - low) / (high - low)
        return known[-1][1]

    def at(self, threshold: float) -> Risk:
        """The known risk that is nearest."""
        return min(self.risks, key=lambda risk: abs(risk.threshold - threshold))


class Models(BaseModel, frozen=True, extra="forbid"):
    """Without what a reader has read, and with it."""

    plain: Model
    read: Model


class AnswerSettings(BaseModel, frozen=True, extra="forbid"):
    """unsure_rate: of questions with an answer the share that may be unsure, as it was on the questions that
    the confidence was fitted on; it sets the threshold. unsure: the threshold itself, the least confidence
    of an answer that is given without reserve. not_found: the least at which anything is shown; null takes
    what was fitted."""

    unsure_rate: Probability = 0.1
    unsure: Probability | None = None
    not_found: Probability | None = None

    def build(self) -> Confidence:
        return Confidence(shipped(), self.unsure_rate, self.unsure, self.not_found)


@dataclass(frozen=True, slots=True)
class Judgement:
    confidence: float
    state: AnswerState


@dataclass(frozen=True, slots=True)
class Confidence:
    models: Models
    unsure_rate: float = 0.1
    unsure: float | None = None
    not_found: float | None = None

    def told(self, reads: bool) -> str:
        """What the threshold did to questions that were not fitted on."""
        model = self.models.read if reads else self.models.plain
        risk = model.at(self._least(model))
        return (
            f"unsure below {self._least(model):.2f}: of questions without an answer {risk.answered:.0%} get "
            f"one, of those with one {risk.unsure:.0%} are unsure"
        )

    def judge(self, question: str, passages: Sequence[Passage]) -> Judgement:
        found = features(question, passages)
        model = self.models.read if "reading" in found else self.models.plain
        value = model.bias + sum(weight * found[name] for name, weight in model.weights.items())
        confidence = round(sigmoid(value), 6)
        unsure = self._least(model)
        least = min(unsure, model.not_found) if self.not_found is None else self.not_found
        return Judgement(confidence, _state(confidence, least, unsure))

    def _least(self, model: Model) -> float:
        return model.threshold(self.unsure_rate) if self.unsure is None else self.unsure


def _state(confidence: float, least: float, unsure: float) -> AnswerState:
    if confidence < least:
        return "not_found"
    return "unsure" if confidence < unsure else "answered"


def features(question: str, passages: Sequence[Passage]) -> dict[str, float]:
    """Of the selected passages. `reading` only where a reader that
    marks has read: the logits of another are on another scale.

    `reading`: the mean of what was read, in which each passage weighs as much as the odds that it is
    relevant; what a passage beside the point says does not count. `marks`: the highest mark in any of them.
    """
    ranked = sorted(passages, key=lambda passage: passage.rank)
    logits = [log_odds(passage.relevance, _LEAST) for passage in ranked]
    wanted = stems(question)
    held = [len(wanted & stems(passage.chunk.reading)) / max(len(wanted), 1) for passage in ranked]
    found = {
        "relevance": logits[0],
        "coverage": max(held),
    }
    readings = [
        (logit, passage.read)
        for logit, passage in zip(logits, ranked, strict=True)
        if passage.read is not None and len(passage.read.marks)
    ]
    if readings:
        odds = [math.exp(logit) for logit, _ in readings]
        weighed = (o * read.logit for o, (_, read) in zip(odds, readings, strict=True))
        found["reading"] = sum(weighed) / sum(odds)
        found["marks"] = log_odds(max(float(read.marks.max()) for _, read in readings), _LEAST_MARK)
    return found


@cache
def shipped() -> Models:
    return read_models(SHIPPED)


def read_models(path: Path) -> Models:
    try:
        return Models.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read as a model of confidence: {error}") from error
