"""Whether a difference is more than luck: paired tests over questions, and how many would tell.

Every draw comes from a seed: the same questions give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap  # type: ignore[import-untyped]  # it has no stubs

Numbers = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
ROUNDS = 10_000
# So many numbers are drawn at once: a large set of questions must not fill the memory.
_BLOCK = 4_000_000
# What is the same but for the order of addition counts as equally extreme.
_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two systems on the same questions: the mean gain, its 95% interval, how likely by luck alone."""

    mean: float
    low: float
    high: float
    p: float
    deviation: float
    questions: int
    wins: int
    ties: int
    losses: int


def difference(before: Sequence[float], after: Sequence[float], seed: int) -> Difference:
    gains = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    found = interval(gains, seed)
    return Difference(
        mean=found.mean,
        low=found.low,
        high=found.high,
        p=float(randomisation(gains[:, None], seed)[0]) if len(gains) else 1.0,
        deviation=float(gains.std(ddof=1)) if len(gains) > 1 else 0.0,
        questions=len(gains),
        wins=int((gains > _SLACK).sum()),
        ties=int((abs(gains) <= _SLACK).sum()),
        losses=int((gains < -_SLACK).sum()),
    )


def randomisation(gains: Numbers, seed: int, rounds: int = ROUNDS) -> Numbers:
    """Two-sided p of each column by Fisher's paired test: were the two systems one, each gain might as
    well have the other sign. All signs where those are few; else drawn ones, and the gains as they
    are count as one draw more, so that luck is never found too rarely.

    `scipy.stats.permutation_test` finds the same in six to ten times the time, which several measures of
    several configs multiply. The tests hold this function to it."""
    rows = len(gains)
    seen = abs(gains.sum(axis=0)) - _SLACK * rows
    if 2**rows <= rounds:
        every = 1 - 2 * ((np.arange(2**rows)[:, None] >> np.arange(rows)) & 1)
        return np.asarray((abs(every @ gains) >= seen).mean(axis=0), dtype=np.float64)
    extreme = np.zeros(gains.shape[1])
    rng = np.random.default_rng(seed)
    for size in _blocks(rounds, rows):
        signs = rng.integers(0, 2, size=(size, rows), dtype=np.int8) * 2.0 - 1.0
        extreme += (abs(signs @ gains) >= seen).sum(axis=0)
    return np.asarray((extreme + 1) / (rounds + 1), dtype=np.float64)


def interval(values: Sequence[float] | Numbers, seed: int, rounds: int = ROUNDS) -> Interval:
    """Where the mean lies, by the percentile bootstrap over questions: 95%."""
    given = np.asarray(values, dtype=np.float64)
    mean = float(given.mean()) if len(given) else 0.0
    if len(given) < 2:
        return Interval(mean, mean, mean)
    found = bootstrap(
        (given,),
        np.mean,
        n_resamples=rounds,
        batch=_blocks(rounds, len(given))[0],
        confidence_level=1 - ALPHA,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for there being several: the smallest counts as often as there are values."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    corrected = [0.0] * len(values)
    least = 0.0
    for turn, i in enumerate(order):
        least = max(least, min(1.0, (len(values) - turn) * values[i]))
        corrected[i] = least
    return corrected


def questions_needed(deviation: float, gain: float, tests: int = 1) -> int:
    """So many that a true gain of this size is found with the promised power, by a two-sided test."""
    if gain == 0 or deviation == 0:
        return 0
    sure = NormalDist().inv_cdf(1 - ALPHA / (2 * tests))
    found = NormalDist().inv_cdf(POWER)
    # The deviation is estimated too: a few questions more than the normal distribution asks for.
    return math.ceil(((sure + found) * deviation / gain) ** 2 + sure**2 / 2)


def questions_to_rule_out(deviation: float, mean: float, gain: float) -> int:
    """So many that the interval around this mean ends below the gain."""
    sure = NormalDist().inv_cdf(1 - ALPHA / 2)
    return math.ceil((sure * deviation / (gain - mean)) ** 2)


def _blocks(rounds: int, width: int) -> list[int]:
    size = max(1, min(rounds, _BLOCK // max(width, 1)))
    return [min(size, rounds - start) for start in range(0, rounds, size)]
