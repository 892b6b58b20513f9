"""The scale of a trained model's scores, fitted on held-out questions: those it was trained on it scores too
high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag.api import Rag
from rag.calibration import Calibration
from rag.evaluation.candidates import Judged, judge_question, usable
from rag.evaluation.crossvalidation import Fitting, hold_out
from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.fitting import OF_THE_CANDIDATE, fit, relevel, round_off
from rag.evaluation.naming import Naming
from rag.evaluation.reliability import log_loss
from rag.evaluation.separation import Asked, Wish, propose

# With fewer answers found, the weights stay as they are and only their scale is fitted; with hardly any, all
# stays as it was.
_ENOUGH = 40
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """`chosen`: which way of fitting; `losses`: the held-out log loss of each, where several were tried."""

    chosen: str
    calibration: Calibration
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
    fitted = round_off(ways[chosen](rows))
    asked = [Asked(row.answerable, fitted.relevances(row.features), row.relevant) for row in rows]
    proposed = propose(asked, Wish(), rag.settings.reranker.top_k)
    made = replace(fitted, transform=was.transform, threshold=round(proposed.threshold, 4))
    return Recalibrated(chosen, made, losses)


def as_before(was: Calibration) -> Recalibrated:
    return Recalibrated("as before", was)


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
    return lambda rows: relevel(rows, was)


def _fitted(rows: Sequence[Judged]) -> Calibration:
    return fit(rows, usable(rows, OF_THE_CANDIDATE))


def _held_out_loss(rows: Sequence[Judged], way: Fitting, seed: int) -> float:
    found = hold_out(rows, way, seed)
    relevant = np.concatenate([row.relevant for row in rows])
    return log_loss(np.concatenate([one.relevance for one in found]), relevant)
