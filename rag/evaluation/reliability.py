"""Whether a relevance of 0.7 is right seven times in ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """Passages of about the same relevance: the mean of what was predicted, and the share that held."""

    predicted: float
    observed: float
    count: int


def bins(predicted: NDArray[np.float64], relevant: NDArray[np.bool_], count: int = BINS) -> list[Bin]:
    """Of equal width; empty ones are left out."""
    which = np.minimum((predicted * count).astype(int), count - 1)
    return [
        Bin(float(predicted[which == b].mean()), float(relevant[which == b].mean()), int((which == b).sum()))
        for b in range(count)
        if (which == b).any()
    ]


def calibration_error(
    predicted: NDArray[np.float64], relevant: NDArray[np.bool_], count: int = BINS
) -> float:
    """Expected calibration error over bins of equal width."""
    if not len(predicted):
        return 0.0
    total = len(predicted)
    return sum(abs(b.predicted - b.observed) * b.count / total for b in bins(predicted, relevant, count))


def log_loss(predicted: NDArray[np.float64], relevant: NDArray[np.bool_]) -> float:
    clipped = np.clip(predicted, _LEAST, 1 - _LEAST)
    return float(-np.where(relevant, np.log(clipped), np.log(1 - clipped)).mean())


def one_passage_a_document(
    documents: Sequence[str], relevant: Mapping[str, int], scores: Sequence[float]
) -> list[int]:
    """The passages whose relevance is known: a judged document's best one, and those of the others.

    The judgement does not say which of a document's passages holds the answer.
    """
    best: dict[str, int] = {}
    for i, document in enumerate(documents):
        if relevant.get(document, 0) > 0 and (document not in best or scores[i] > scores[best[document]]):
            best[document] = i
    return [
        i for i, document in enumerate(documents) if relevant.get(document, 0) <= 0 or best[document] == i
    ]
