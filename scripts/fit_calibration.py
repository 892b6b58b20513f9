#!/usr/bin/env python
"""Fits the calibrations that the package ships: rag/calibrations/fitted.yaml.

    python scripts/fit_calibration.py --work DIR FOLDER:SPLIT...

Training questions only: each collection weighs the same, whatever its size. To each are added
questions that its documents do not answer: those of the other collections, and words that do not
exist. Small indexes of a dozen documents are among them, since a few documents hold few of the
words of any question. The model is a logistic regression over the raw score and the first stage's
evidence; the default threshold is the relevance that at most one answerable question in twenty,
asked of its whole collection, has no passage above, in the worst of five folds. Prints the log
loss and the calibration error of held-out questions, and how many of the unanswerable ones the
threshold refuses.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from beir import Collection, open_index
from candidates import judged

from rag.evaluation.candidates import Judged
from rag.evaluation.fitting import Fit, fit
from rag.evaluation.reliability import calibration_error, log_loss

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "rag" / "calibrations" / "fitted.yaml"
# What each reranker's calibration may use: `none` has no score of its own that means anything.
RANKING = {
    "late-interaction": ("score", "cosine", "bm25_share"),
    "none": ("cosine", "bm25_share"),
}
FOLDS = 5
LOST = 0.05
# Unanswerable questions added to each collection.
OFF_TOPIC = 60
GIBBERISH = 15
# Indexes of a dozen documents, made from each collection.
SMALL = 8
SMALL_DOCUMENTS = 12


def main() -> None:
    options = _options()
    collections = {name: _load(name, options.questions) for name in options.train}
    sets = {name: _read(name, collections, options.work) for name in collections}
    fits = [_entry(kind, used, sets) for kind, used in RANKING.items()]
    TARGET.write_text(HEADER + yaml.safe_dump(fits, sort_keys=False, width=110))
    print(f"written to {TARGET.relative_to(ROOT)}")


HEADER = """\
# Made by scripts/fit_calibration.py from training questions only; do not edit by hand.
"""


def _entry(kind: str, used: Sequence[str], sets: dict[str, list[Judged]]) -> dict[str, object]:
    fitted = _fit(list(sets.values()), used)
    threshold, loss, error, refused = _held_out(sets, used)
    questions = sum(len(rows) for rows in sets.values())
    print(f"{kind}: held-out log loss {loss:.4f}, calibration error {error:.4f}")
    print(f"  threshold {threshold:.4f} refuses {refused:.2f} of the questions without an answer")
    print(f"  {fitted.weights} bias {fitted.bias:.3f}")
    return {
        "reranker": kind,
        "embedder": "sentence-transformers/all-MiniLM-L6-v2",
        "bias": round(fitted.bias, 4),
        "weights": {name: round(weight, 4) for name, weight in fitted.weights.items()},
        "threshold": round(threshold, 4),
        "fitted_on": f"{questions} training questions of {', '.join(_title(name) for name in sets)}",
    }


def _fit(sets: Sequence[Sequence[Judged]], ranking: Sequence[str]) -> Fit:
    """Each set weighs the same."""
    rows = [row for rows in sets for row in rows]
    return fit(rows, ranking, [number for number, rows in enumerate(sets) for _ in rows])


def _held_out(sets: dict[str, list[Judged]], used: Sequence[str]) -> tuple[float, float, float, float]:
    """Threshold, log loss, calibration error and share refused over questions that the fit did not see."""
    predicted, truth, thresholds, unanswerable = [], [], [], []
    for fold in range(FOLDS):
        fitted = _fit(
            [[row for i, row in enumerate(rows) if i % FOLDS != fold] for rows in sets.values()], used
        )
        best_relevant = []
        for rows in sets.values():
            for row in rows[fold::FOLDS]:
                relevance = fitted.relevance(row.features)
                predicted.append(relevance)
                truth.append(row.relevant)
                if row.small:
                    continue
                if row.relevant.any():
                    best_relevant.append(relevance[row.relevant].max())
                else:
                    unanswerable.append(relevance.max())
        thresholds.append(float(np.quantile(best_relevant, LOST)))
    probabilities, outcomes = np.concatenate(predicted), np.concatenate(truth)
    threshold = min(thresholds)
    refused = float(np.mean(np.array(unanswerable) < threshold))
    return threshold, log_loss(probabilities, outcomes), calibration_error(probabilities, outcomes), refused


def _load(name: str, questions: int) -> Collection:
    folder, _, split = name.rpartition(":")
    return Collection.load(Path(folder), split).sample(questions)


def _read(name: str, collections: dict[str, Collection], work: Path) -> list[Judged]:
    own = collections[name]
    rag = open_index(own, work)
    strange = Collection(own.name, own.corpus, _off_topic(name, collections) | _gibberish(), {})
    rows = [*judged(rag, own), *judged(rag, strange)]
    print(
        f"{_title(name)}: {len(own.questions)} questions and {len(strange.questions)} off its topic",
        flush=True,
    )
    for number in range(SMALL):
        part, apart = _small(own, number, work)
        rag = open_index(part, work)
        rows += [replace(row, small=True) for row in (*judged(rag, part), *judged(rag, apart))]
    # In an order that gives every fold its share of each kind.
    return random.Random(0).sample(rows, len(rows))


def _small(own: Collection, number: int, work: Path) -> tuple[Collection, Collection]:
    """A dozen documents as a collection: with the questions they answer, and with some they do not."""
    rng = random.Random(number)
    asked = rng.sample(sorted(own.questions), SMALL_DOCUMENTS)
    wanted = {max(own.qrels[id_], key=lambda d: own.qrels[id_][d]) for id_ in asked}
    name = f"small-{own.name}-{number}"
    corpus = work / f"{name}.jsonl"
    with own.corpus.open(encoding="utf-8") as lines:
        corpus.write_text("".join(line for line in lines if json.loads(line)["_id"] in wanted), "utf-8")
    others = [id_ for id_ in sorted(own.questions) if not wanted & own.qrels[id_].keys()]
    strange = {id_: own.questions[id_] for id_ in rng.sample(others, min(len(others), SMALL_DOCUMENTS // 3))}
    inside = Collection(name, corpus, {id_: own.questions[id_] for id_ in asked}, own.qrels)
    return inside, Collection(name, corpus, strange, {})


def _off_topic(name: str, collections: dict[str, Collection]) -> dict[str, str]:
    """Questions of other collections; not of those over the same documents."""
    others = {
        f"{other} {id_}": text
        for other, collection in collections.items()
        if collection.corpus != collections[name].corpus
        for id_, text in collection.questions.items()
    }
    return {id_: others[id_] for id_ in random.Random(1).sample(sorted(others), OFF_TOPIC)}


def _gibberish() -> dict[str, str]:
    """Questions in words that no language has."""
    rng = random.Random(2)

    def word() -> str:
        return "".join(
            rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randint(1, 4))
        )

    return {
        f"gibberish {i}": " ".join(word() for _ in range(rng.randint(2, 8))) + "?" for i in range(GIBBERISH)
    }


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
