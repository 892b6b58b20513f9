#!/usr/bin/env python
"""Fits the calibrations that the package ships: rag/calibrations/fitted.yaml.

    python scripts/fit_calibration.py --work DIR FOLDER:SPLIT...

Training questions only: each collection weighs the same, whatever its size. The model is a logistic
regression over the raw score and the first stage's evidence; the default threshold is the relevance
that at most one answerable question in twenty has no passage above, in the worst of five folds.
Prints the log loss and the calibration error of held-out questions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from beir import Collection, open_index
from candidates import FEATURES, Judged, judged
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "rag" / "calibrations" / "fitted.yaml"
# What each reranker's calibration may use: `none` has no score of its own that means anything.
USED = {
    "late-interaction": ("score", "cosine", "cosine_reference", "bm25_share"),
    "none": ("cosine", "cosine_reference", "bm25_share"),
}
FOLDS = 5
LOST = 0.05


@dataclass(frozen=True, slots=True)
class Fit:
    weights: dict[str, float]
    bias: float

    def relevance(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = [FEATURES.index(name) for name in self.weights]
        logits = features[:, columns] @ np.array(list(self.weights.values())) + self.bias
        relevance: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
        return relevance


def main() -> None:
    options = _options()
    sets = {name: _read(name, options) for name in options.train}
    fits = [_entry(kind, used, sets) for kind, used in USED.items()]
    TARGET.write_text(HEADER + yaml.safe_dump(fits, sort_keys=False, width=110))
    print(f"written to {TARGET.relative_to(ROOT)}")


HEADER = """\
# Made by scripts/fit_calibration.py from training questions only; do not edit by hand.
"""


def _entry(kind: str, used: Sequence[str], sets: dict[str, list[Judged]]) -> dict[str, object]:
    fit = _fit(list(sets.values()), used)
    threshold, loss, error = _held_out(sets, used)
    questions = sum(len(rows) for rows in sets.values())
    print(f"{kind}: held-out log loss {loss:.4f}, calibration error {error:.4f}, threshold {threshold:.4f}")
    print(f"  {fit.weights} bias {fit.bias:.3f}")
    return {
        "reranker": kind,
        "embedder": "sentence-transformers/all-MiniLM-L6-v2",
        "bias": round(fit.bias, 4),
        "weights": {name: round(weight, 4) for name, weight in fit.weights.items()},
        "threshold": round(threshold, 4),
        "fitted_on": f"{questions} training questions of {', '.join(_title(name) for name in sets)}",
    }


def _fit(sets: Sequence[Sequence[Judged]], used: Sequence[str]) -> Fit:
    columns = [FEATURES.index(name) for name in used]
    features = np.concatenate([row.features[:, columns] for rows in sets for row in rows])
    relevant = np.concatenate([row.relevant for rows in sets for row in rows])
    weights = np.concatenate([np.full(len(row.relevant), 1 / _size(rows)) for rows in sets for row in rows])
    centre, scale = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit((features - centre) / scale, relevant, sample_weight=weights * len(weights) / weights.sum())
    slopes = model.coef_[0] / scale
    return Fit(dict(zip(used, map(float, slopes), strict=True)), float(model.intercept_[0] - slopes @ centre))


def _size(rows: Sequence[Judged]) -> int:
    return sum(len(row.relevant) for row in rows)


def _held_out(sets: dict[str, list[Judged]], used: Sequence[str]) -> tuple[float, float, float]:
    """Threshold, log loss and calibration error over questions that the fit did not see."""
    predicted, truth, thresholds = [], [], []
    for fold in range(FOLDS):
        fit = _fit([[row for i, row in enumerate(rows) if i % FOLDS != fold] for rows in sets.values()], used)
        best_relevant = []
        for rows in sets.values():
            for row in rows[fold::FOLDS]:
                relevance = fit.relevance(row.features)
                predicted.append(relevance)
                truth.append(row.relevant)
                if row.relevant.any():
                    best_relevant.append(relevance[row.relevant].max())
        thresholds.append(float(np.quantile(best_relevant, LOST)))
    probabilities, outcomes = np.concatenate(predicted), np.concatenate(truth)
    return min(thresholds), _log_loss(probabilities, outcomes), calibration_error(probabilities, outcomes)


def _log_loss(predicted: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    clipped = np.clip(predicted, 1e-9, 1 - 1e-9)
    return float(-np.where(truth, np.log(clipped), np.log(1 - clipped)).mean())


def calibration_error(predicted: NDArray[np.float64], truth: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error over bins of equal width."""
    which = np.minimum((predicted * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(predicted[which == b].mean() - truth[which == b].mean()) * (which == b).mean()
            for b in range(bins)
            if (which == b).any()
        )
    )


def _read(name: str, options: argparse.Namespace) -> list[Judged]:
    folder, _, split = name.rpartition(":")
    collection = Collection.load(Path(folder), split).sample(options.questions)
    rag = open_index(collection, options.work)
    rows = list(judged(rag, collection))
    print(f"{_title(name)}: {len(rows)} questions", flush=True)
    return rows


def _title(name: str) -> str:
    folder, _, split = name.rpartition(":")
    return f"{Path(folder).name} ({split})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "train", nargs="+", metavar="FOLDER:SPLIT", help="a collection in BEIR form and its split"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("runs/calibration"), help="where the indexes are kept"
    )
    parser.add_argument("--questions", type=int, default=250, help="at most so many of each collection")
    return parser.parse_args()


if __name__ == "__main__":
    main()
