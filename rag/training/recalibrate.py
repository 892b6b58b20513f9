"""The scale of a trained model's scores, fitted on held-out questions: those it was trained on it scores too
high."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import yaml

from rag.api import Rag
from rag.calibration import Calibration
from rag.evaluation.candidates import Judged, judge_question, usable
from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.fitting import OF_THE_CANDIDATE, Fit, calibration_entry, fit, relevel, rounded
from rag.evaluation.naming import Naming
from rag.evaluation.reliability import log_loss
from rag.evaluation.separation import Asked, Wish, propose

# With fewer answers found, the weights stay as they are and only their scale is fitted; with hardly any, all
# stays as it was.
_ENOUGH = 40
_FEWEST = 4
_FOLDS = 5

Fitting = Callable[[Sequence[Judged]], Fit]


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """`chosen`: which way of fitting; `losses`: the held-out log loss of each, where several were tried."""

    chosen: str
    fitted: Fit
    threshold: float | None
    losses: dict[str, float] = field(default_factory=dict)


def recalibrate(
    rag: Rag, was: Calibration, questions: Sequence[LabelledQuestion], named: Naming, seed: int
) -> Recalibrated:
    """`was`: the calibration before training."""
    rows = _rows(rag, was, questions, named)
    found = sum(bool(row.relevant.any()) for row in rows)
    if found < _FEWEST:
        return as_before(was)
    ways: dict[str, Fitting] = {"weights as before": _rescaled(was)}
    if found >= _ENOUGH:
        ways["weights fitted"] = _fitted
    losses = {name: _held_out_loss(rows, way, seed) for name, way in ways.items()} if len(ways) > 1 else {}
    chosen = min(losses, key=lambda name: losses[name]) if losses else "weights as before"
    fitted = rounded(ways[chosen](rows))
    asked = [Asked(row.answerable, fitted.relevance(row.features), row.relevant) for row in rows]
    proposed = propose(asked, Wish(), rag.settings.reranker.top_k)
    return Recalibrated(chosen, fitted, round(proposed.threshold, 4), losses)


def as_before(was: Calibration) -> Recalibrated:
    return Recalibrated("as before", Fit(was.weights, was.bias, was.isotonic), was.threshold)


def calibration_of(
    made: Recalibrated, rag: Rag, was: Calibration, told: str, moved: tuple[Path, Path]
) -> str:
    """As a file that a config names. `moved`: where the model lies, and where it will lie: what a calibration
    was fitted with names it."""
    card = rag.assembly.second_stage.members[0].card
    here, there = map(str, moved)
    scored_with = rag.assembly.scored_with(rag.settings.reranker)
    entry = calibration_entry(
        replace(card, model=card.model.replace(here, there)),
        was.transform,
        made.fitted,
        fitted_on=told,
        fingerprint={key: value.replace(here, there) for key, value in scored_with.items()},
        threshold=made.threshold,
    )
    head = "# Made by `rag train`; a config names it as reranker.calibration.\n"
    return head + yaml.safe_dump(entry, sort_keys=False, width=110, allow_unicode=True)


def _rows(rag: Rag, was: Calibration, questions: Sequence[LabelledQuestion], named: Naming) -> list[Judged]:
    # For a model that nobody has fitted the pipeline knows no scale yet; it reads scores as it did.
    pipeline = replace(rag.pipeline, calibration=was)
    encoded = pipeline.encode_many([question.text for question in questions])
    rows = [
        judge_question(pipeline, question.id, asked, named.document, question.relevant)
        for question, asked in zip(questions, encoded, strict=True)
    ]
    return [row for row in rows if len(row.relevant)]


def _rescaled(was: Calibration) -> Fitting:
    return lambda rows: relevel(rows, Fit(was.weights, was.bias))


def _fitted(rows: Sequence[Judged]) -> Fit:
    return fit(rows, usable(rows, OF_THE_CANDIDATE))


def _held_out_loss(rows: Sequence[Judged], way: Fitting, seed: int) -> float:
    """Every question by a fit that has not seen it."""
    folds = np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
    predicted, relevant = [], []
    for fold in range(_FOLDS):
        fitted = way([row for row, of in zip(rows, folds, strict=True) if of != fold])
        for row, of in zip(rows, folds, strict=True):
            if of == fold:
                predicted.append(fitted.relevance(row.features))
                relevant.append(row.relevant)
    return log_loss(np.concatenate(predicted), np.concatenate(relevant))
