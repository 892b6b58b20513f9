#!/usr/bin/env python
"""Fits the calibrations that the package ships: rag/second_stage/fitted.yaml.

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

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer
import yaml

from rag.calibration import Calibration
from rag.evaluation.candidates import Judged, judge_questions
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.evaluate import open_for
from rag.evaluation.fitting import fit
from rag.evaluation.naming import naming
from rag.evaluation.reliability import calibration_error, log_loss
from rag.protocols import silent
from rag.second_stage.fitted import SHIPPED
from rag.settings import Settings

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


def main(train: list[str], work: Path = Path("runs/calibration"), questions: int = 250) -> None:
    """`train`: FOLDER:SPLIT of collections in BEIR form; at most so many questions of each."""
    collections = {name: _load(name, questions) for name in train}
    sets = {name: _read(name, collections, work) for name in collections}
    fits = [_entry(kind, used, sets) for kind, used in RANKING.items()]
    SHIPPED.write_text(HEADER + yaml.safe_dump(fits, sort_keys=False, width=110))
    print(f"written to {SHIPPED}")


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


def _fit(sets: Sequence[Sequence[Judged]], ranking: Sequence[str]) -> Calibration:
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
                relevance = fitted.relevances(row.features)
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


def _load(name: str, most: int) -> Dataset:
    folder, _, split = name.rpartition(":")
    found = Dataset.load(Path(folder), split)
    chosen = sorted(found.labelled, key=lambda question: question.id)
    if len(chosen) > most:
        chosen = sorted(random.Random(0).sample(chosen, most), key=lambda question: question.id)
    return replace(found, questions=tuple(chosen))


def _read(name: str, collections: dict[str, Dataset], work: Path) -> list[Judged]:
    own = collections[name]
    strange = (*_off_topic(name, collections), *_gibberish())
    print(f"{_title(name)}: {len(own.questions)} questions and {len(strange)} off its topic", flush=True)
    rows = _judged(replace(own, questions=(*own.questions, *strange)), work)
    for number in range(SMALL):
        rows += [replace(row, small=True) for row in _judged(_small(own, number, work), work)]
    # In an order that gives every fold its share of each kind.
    return random.Random(0).sample(rows, len(rows))


def _judged(data: Dataset, work: Path) -> list[Judged]:
    rag = open_for(Settings(), data, work, silent)
    named = naming((source for source, _ in rag.assembly.index.catalog.sources()), data.judged)
    return list(judge_questions(rag.pipeline, data, named, silent))


def _small(own: Dataset, number: int, work: Path) -> Dataset:
    """A dozen documents as a collection: with the questions they answer, and with some they do not."""
    assert own.corpus
    rng = random.Random(number)
    asked = rng.sample(own.questions, SMALL_DOCUMENTS)
    wanted = {max(question.relevant, key=lambda d: question.relevant[d]) for question in asked}
    others = [question for question in own.questions if not wanted & question.relevant.keys()]
    strange = rng.sample(others, min(len(others), SMALL_DOCUMENTS // 3))
    corpus = work / f"small-{own.name}-{number}.jsonl"
    with own.corpus.open(encoding="utf-8") as lines:
        corpus.write_text("".join(line for line in lines if json.loads(line)["_id"] in wanted), "utf-8")
    unanswered = (_unanswerable(question.id, question.text) for question in strange)
    return Dataset(corpus.stem, (*asked, *unanswered), corpus)


def _unanswerable(id_: str, text: str) -> LabelledQuestion:
    return LabelledQuestion.model_validate({"_id": id_, "text": text, "answerable": False})


def _off_topic(name: str, collections: dict[str, Dataset]) -> list[LabelledQuestion]:
    """Questions of other collections; not of those over the same documents."""
    others = {
        f"{other} {question.id}": question.text
        for other, collection in collections.items()
        if collection.corpus != collections[name].corpus
        for question in collection.questions
    }
    return [_unanswerable(id_, others[id_]) for id_ in random.Random(1).sample(sorted(others), OFF_TOPIC)]


def _gibberish() -> list[LabelledQuestion]:
    """Questions in words that no language has."""
    rng = random.Random(2)

    def word() -> str:
        syllables = rng.randint(1, 4)
        return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(syllables))

    texts = (" ".join(word() for _ in range(rng.randint(2, 8))) + "?" for _ in range(GIBBERISH))
    return [_unanswerable(f"gibberish {i}", text) for i, text in enumerate(texts)]


def _title(name: str) -> str:
    folder, _, split = name.rpartition(":")
    return f"{Path(folder).name} ({split})"


if __name__ == "__main__":
    typer.run(main)
