"""Every question by a fit that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.calibration import Calibration
from rag.evaluation.candidates import Judged

FOLDS = 5

Fitting = Callable[[Sequence[Judged]], Calibration]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Of one question's candidates."""

    logits: NDArray[np.float64]
    relevance: NDArray[np.float64]


def hold_out(rows: Sequence[Judged], way: Fitting, seed: int) -> list[HeldOut]:
    """The same seed deals the same folds, whatever the way of fitting."""
    folds = _deal(rows, seed)
    fits = [way([row for row, f in zip(rows, folds, strict=True) if f != fold]) for fold in range(FOLDS)]
    return [
        HeldOut(fits[fold].logits(row.features), fits[fold].relevances(row.features))
        for row, fold in zip(rows, folds, strict=True)
    ]


def _deal(rows: Sequence[Judged], seed: int) -> list[int]:
    """The fold of each question. Each fold gets its share of the unanswerable ones."""
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    order.sort(key=lambda i: rows[i].answerable)
    folds = [0] * len(rows)
    for turn, place in enumerate(order):
        folds[place] = turn % FOLDS
    return folds
