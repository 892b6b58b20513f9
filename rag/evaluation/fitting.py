"""A calibration from judged candidates: logistic, and isotonic on top where that holds better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]  # it has no stubs
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from rag.calibration import FEATURES, Calibration
from rag.evaluation.candidates import Judged, usable

Numbers = NDArray[np.float64]

# What may order a question's candidates, and what is the same for all of them: whether it is a
# question that these documents can answer.
OF_THE_CANDIDATE = ("score", "cosine", "bm25_share")
OF_THE_QUESTION = ("cosine_reference", "bm25_coverage")
# Nearly none: there are far more candidates than features.
_REGULARISATION = 1e6
_DIGITS = 5
_LEAST_SLOPE = 0.1


def fit(rows: Sequence[Judged], ranking: Sequence[str], groups: Sequence[int] | None = None) -> Calibration:
    """In two steps, since off-topic questions must not bend the ranking within the others.

    First what ranks, from answerable questions alone: cosine counts over the question's reference.
    (With the coverage beside them too, the slopes rank the training questions themselves worse:
    mean nDCG@10 .6752 against .6796.) Then its scale, and what is the question's own, from all.
    `groups`: collections of which each weighs the same, whatever its size.
    """
    groups = groups or [0] * len(rows)
    inner = [i for i, row in enumerate(rows) if row.answerable and not row.small]
    beside = usable(rows, ["cosine_reference"]) if "cosine" in ranking else []
    slopes, _ = _logistic([rows[i] for i in inner], [groups[i] for i in inner], [*ranking, *beside])
    return rescale(rows, {name: slopes[name] for name in ranking}, groups)


def rescale(
    rows: Sequence[Judged], ranks: Mapping[str, float], groups: Sequence[int] | None = None
) -> Calibration:
    """The order as it is, made a probability together with what is the question's own."""
    groups = groups or [0] * len(rows)
    scaled, bias = _logistic(rows, groups, usable(rows, OF_THE_QUESTION), ranks)
    weights = {name: slope * scaled["ranks"] for name, slope in ranks.items()}
    return _fitted(weights | {name: slope for name, slope in scaled.items() if name != "ranks"}, bias)


def relevel(rows: Sequence[Judged], was: Calibration) -> Calibration:
    """The same order on another scale: slope and intercept over the former logit alone, held near what few
    rows can tell."""
    logits = np.concatenate([was.logits(row.features) for row in rows])
    relevant = np.concatenate([row.relevant for row in rows])
    centre, spread = float(logits.mean()), float(logits.std()) or 1.0
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(((logits - centre) / spread)[:, None], relevant)
    # Never upside down, whatever few rows say.
    slope = max(float(model.coef_[0][0]) / spread, _LEAST_SLOPE)
    bias = float(model.intercept_[0]) - slope * centre
    return _fitted({name: slope * weight for name, weight in was.weights.items()}, slope * was.bias + bias)


def platt(rows: Sequence[Judged]) -> Calibration:
    """The score alone: slope and intercept."""
    slopes, bias = _logistic(rows, [0] * len(rows), ["score"])
    return _fitted(slopes, bias)


def straighten(fitted: Calibration, rows: Sequence[Judged]) -> Calibration:
    """The rising line that holds best over what was fitted. Its ends stay short of 0 and 1: no
    number of passages makes certain."""
    logits = np.concatenate([fitted.logits(row.features) for row in rows])
    relevant = np.concatenate([row.relevant for row in rows])
    margin = 1 / (len(relevant) + 2)
    model = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip")
    model.fit(logits, relevant)
    corners = zip(map(float, model.X_thresholds_), map(float, model.y_thresholds_), strict=True)
    return replace(fitted, isotonic=tuple(corners))


def round_off(fitted: Calibration) -> Calibration:
    """As it will be written, so that what was measured is what is used."""
    corners = [(round(x, _DIGITS), round(y, _DIGITS + 2)) for x, y in fitted.isotonic]
    return replace(
        fitted,
        weights={name: round(weight, _DIGITS) for name, weight in fitted.weights.items()},
        bias=round(fitted.bias, _DIGITS),
        isotonic=tuple(c for i, c in enumerate(corners) if i == 0 or c[0] > corners[i - 1][0]),
    )


def _fitted(weights: Mapping[str, float], bias: float) -> Calibration:
    """The rows hold scores as the reranker's calibration reads them: nothing is left to transform."""
    return Calibration("fitted", weights, bias)


def _logistic(
    rows: Sequence[Judged],
    groups: Sequence[int],
    names: Sequence[str],
    ranks: Mapping[str, float] | None = None,
) -> tuple[dict[str, float], float]:
    """Slopes and intercept; with `ranks`, its weighted sum is a feature of that name."""
    columns = [np.concatenate([row.features[:, FEATURES.index(name)] for row in rows]) for name in names]
    if ranks:
        summed = [row.features[:, [FEATURES.index(n) for n in ranks]] @ list(ranks.values()) for row in rows]
        columns, names = [*columns, np.concatenate(summed)], [*names, "ranks"]
    features, relevant = np.stack(columns, axis=1), np.concatenate([row.relevant for row in rows])
    sizes = {
        g: sum(len(r.relevant) for r, of in zip(rows, groups, strict=True) if of == g) for g in set(groups)
    }
    weights = np.concatenate(
        [np.full(len(row.relevant), 1 / sizes[group]) for row, group in zip(rows, groups, strict=True)]
    )
    centre, scale = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression(C=_REGULARISATION, max_iter=1000)
    model.fit((features - centre) / scale, relevant, sample_weight=weights * len(weights) / weights.sum())
    slopes = model.coef_[0] / scale
    return dict(zip(names, map(float, slopes), strict=True)), float(model.intercept_[0] - slopes @ centre)
