"""From a raw score and the first stage's evidence to P(relevant): one scale for every reranker.

A calibration belongs to one reranker, model and embedder. It is a logistic model over features that
are absolute or relative to the whole index, never to the candidates at hand: a passage's relevance
is the same whichever others were retrieved with it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from rag.errors import ConfigError
from rag.types import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Transform = Literal["identity", "logit"]
FEATURES = ("score", "cosine", "cosine_reference", "bm25_share", "bm25_coverage")
# About the BM25 that one rare word can give.
_LEAST_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """`transform` says what the raw score is: a logit as it stands, or a probability to be made one.

    `isotonic` are the corners of a rising line from logit to relevance; without any it is the sigmoid.
    `threshold` is the default for this scale; None where nothing was fitted. `warning` says why it
    may not hold here.
    """

    name: str
    weights: Mapping[str, float]
    bias: float = 0.0
    transform: Transform = "identity"
    fitted_on: str = ""
    threshold: float | None = None
    isotonic: tuple[tuple[float, float], ...] = ()
    warning: str = ""

    def __post_init__(self) -> None:
        if unknown := self.weights.keys() - set(FEATURES):
            raise ConfigError(
                f"calibration {self.name}: unknown features {sorted(unknown)}; there are {FEATURES}"
            )
        if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(self.isotonic)):
            raise ConfigError(f"calibration {self.name}: the corners of `isotonic` must rise")

    def logit(self, score: float, evidence: Evidence) -> float:
        """What passages are sorted on: a saturated probability would tie."""
        features = self.features(score, evidence)
        return self.bias + sum(weight * self._needed(name, features) for name, weight in self.weights.items())

    def relevance(self, logit: float) -> float:
        return _on_line(self.isotonic, logit) if self.isotonic else sigmoid(logit)

    def logits(self, features: Numbers) -> Numbers:
        """Of many candidates: a row each, with a column for each of FEATURES."""
        columns = [FEATURES.index(name) for name in self.weights]
        logits: Numbers = features[:, columns] @ list(self.weights.values()) + self.bias
        return logits

    def relevances(self, features: Numbers) -> Numbers:
        import numpy as np

        logits = self.logits(features)
        if self.isotonic:
            corners = np.array(self.isotonic)
            return np.asarray(np.interp(logits, corners[:, 0], corners[:, 1]), dtype=np.float64)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)

    def features(self, score: float, evidence: Evidence) -> dict[str, float | None]:
        return {
            "score": log_odds(score) if self.transform == "logit" else score,
            **evidence_features(evidence),
        }

    def _needed(self, name: str, features: Mapping[str, float | None]) -> float:
        value = features[name]
        if value is None:
            raise ConfigError(
                f"calibration {self.name} needs {name!r}, which this first stage does not give: "
                "name another in reranker.calibration"
            )
        return value


def evidence_features(evidence: Evidence) -> dict[str, float | None]:
    """bm25_coverage is low where the index lacks the question's words: off the topic, or gibberish."""
    return {
        "cosine": evidence.cosine,
        "cosine_reference": evidence.cosine_reference,
        "bm25_share": _share(evidence.bm25, evidence.bm25_best),
        "bm25_coverage": _share(evidence.bm25_best, _at_least(evidence.bm25_limit)),
    }


def _on_line(corners: tuple[tuple[float, float], ...], x: float) -> float:
    """Between two corners, or at the height of the outermost one."""
    after = bisect_right(corners, (x, math.inf))
    if after in (0, len(corners)):
        return corners[max(after - 1, 0)][1]
    (left, low), (right, high) = corners[after - 1], corners[after]
    return low + (high - low) * (x - left) / (right - left)


def _at_least(limit: float | None) -> float | None:
    """A question of common words alone is covered by any passage, which says nothing."""
    return None if limit is None else max(limit, _LEAST_LIMIT)


def _share(part: float | None, whole: float | None) -> float | None:
    if part is None or whole is None:
        return None
    return part / whole if whole > 0 else 0.0


def sigmoid(logit: float) -> float:
    # Split by sign: exp of a large positive number would overflow.
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


def log_odds(probability: float, least: float = 1e-6) -> float:
    """Of a probability no nearer to 0 or 1 than `least`."""
    clipped = min(max(probability, least), 1 - least)
    return math.log(clipped / (1 - clipped))
