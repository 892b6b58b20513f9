"""A calibration fitted on a user's own questions, judged on questions that it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from rag.calibration import Calibration
from rag.errors import InputError
from rag.evaluation.candidates import Judged, judged, usable
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import open_for
from rag.evaluation.fitting import OF_THE_CANDIDATE, Fit, calibration_entry, fit, platt, rounded, straighten
from rag.evaluation.metrics import by_document, mean, score_rankings
from rag.evaluation.naming import naming
from rag.evaluation.reliability import Bin, bins, calibration_error, log_loss
from rag.evaluation.separation import Asked, Proposal, Wish, area, propose
from rag.protocols import Progress
from rag.settings import Settings

FOLDS = 5
_FEWEST = 20

Numbers = NDArray[np.float64]
Fitting = Callable[[Sequence[Judged]], Fit]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of relevances for passages of questions that were held out."""

    log_loss: float
    calibration_error: float
    ndcg: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`before` and `after`: the config's calibration, and the one chosen, on the same held-out questions."""

    config: str
    dataset: Dataset
    reranker: str
    chosen: str
    tried: Mapping[str, Quality]
    before: Quality
    threshold_before: float
    fitted: Fit
    proposal: Proposal
    separation: float | None
    entry: Mapping[str, Any]
    path: Path
    asked: tuple[Asked, ...]

    @property
    def after(self) -> Quality:
        return self.tried[self.chosen]


def calibrate(
    settings: Settings,
    config: str,
    dataset: Dataset,
    path: Path,
    wish: Wish,
    seed: int,
    indexes: Path,
    progress: Progress,
) -> Calibrated:
    """Chooses the way of fitting by held-out log loss, then fits that way on all, and writes `path`."""
    rag = open_for(settings, dataset, indexes, progress)
    pipeline = rag.pipeline
    named = naming((source for source, _ in rag.assembly.index.catalog.sources()), dataset.judged)
    # A reranker may cost money: each candidate is scored once for all that follows.
    rows = [row for row in judged(pipeline, dataset, named, progress) if len(row.relevant)]
    _check(rows, dataset)
    folds = _folds(rows, seed)
    current = _as_fit(pipeline.calibration)
    before = _quality(
        rows, [current.relevance(r.features) for r in rows], [current.logits(r.features) for r in rows]
    )
    held_out = {name: _held_out(rows, folds, way) for name, way in _ways(rows).items()}
    tried = {
        name: _quality(rows, [h.relevance for h in found], [h.logits for h in found])
        for name, found in held_out.items()
    }
    chosen = min(tried, key=lambda name: tried[name].log_loss)
    fitted = rounded(_ways(rows)[chosen](rows))
    asked = tuple(
        Asked(row.answerable, h.relevance, row.relevant)
        for row, h in zip(rows, held_out[chosen], strict=True)
    )
    proposal = propose(asked, wish, settings.reranker.top_k)
    entry = calibration_entry(
        pipeline.reranker.card,
        pipeline.calibration.transform,
        fitted,
        fitted_on=_told(len(rows), dataset),
        fingerprint=rag.assembly.scored_with(settings.reranker),
        threshold=round(proposal.threshold, 4),
    )
    return Calibrated(
        config=config,
        dataset=dataset,
        reranker=f"{pipeline.reranker.card.kind} {pipeline.reranker.card.model}".strip(),
        chosen=chosen,
        tried=tried,
        before=before,
        threshold_before=pipeline.rule.threshold,
        fitted=fitted,
        proposal=proposal,
        separation=area(asked),
        entry=entry,
        path=path,
        asked=asked,
    )


def write(found: Calibrated) -> None:
    head = (
        f"# Made by `rag calibrate {found.config}`; a config names it as reranker.calibration.\n"
        f"# Held out: calibration error {found.before.calibration_error:.4f} before, "
        f"{found.after.calibration_error:.4f} after; log loss {found.before.log_loss:.4f} before, "
        f"{found.after.log_loss:.4f} after.\n"
    )
    found.path.parent.mkdir(parents=True, exist_ok=True)
    found.path.write_text(head + yaml.safe_dump(dict(found.entry), sort_keys=False, width=110), "utf-8")


def calibrated_json(found: Calibrated) -> dict[str, Any]:
    def shown(quality: Quality) -> dict[str, float]:
        return {
            "log_loss": round(quality.log_loss, 6),
            "calibration_error": round(quality.calibration_error, 6),
            "ndcg@10": round(quality.ndcg, 6),
        }

    return {
        "dataset": found.dataset.name,
        "config": found.config,
        "questions": len(found.asked),
        "synthetic": found.dataset.synthetic,
        "reranker": found.reranker,
        "before": shown(found.before),
        "after": shown(found.after),
        "chosen": found.chosen,
        "tried": {name: shown(quality) for name, quality in found.tried.items()},
        "threshold": asdict(found.proposal),
        "separation": None if found.separation is None else round(found.separation, 6),
        "path": str(found.path),
    }


@dataclass(frozen=True, slots=True)
class _HeldOut:
    logits: Numbers
    relevance: Numbers


def _check(rows: Sequence[Judged], dataset: Dataset) -> None:
    found = sum(bool(row.relevant.any()) for row in rows)
    if found < _FEWEST:
        raise InputError(
            f"{found} questions of {dataset.name} have a relevant document among their candidates; a "
            f"calibration needs {_FEWEST} or more. `rag questions` drafts some from the documents"
        )


def _ways(rows: Sequence[Judged]) -> dict[str, Fitting]:
    """What may be fitted: with the reranker's score alone, with the first stage's evidence beside it."""
    with_score = all(row.ranks for row in rows)
    ranking = usable(rows, OF_THE_CANDIDATE if with_score else OF_THE_CANDIDATE[1:])
    ways: dict[str, Fitting] = {"logistic": lambda some: fit(some, ranking)} if ranking else {}
    if with_score:
        ways = {"score alone": platt, **ways}
    if not ways:
        raise InputError("neither the reranker nor the first stage gives a number to fit on")
    return ways | {f"{name}, isotonic": _straightened(way) for name, way in ways.items()}


def _straightened(way: Fitting) -> Fitting:
    return lambda rows: straighten(way(rows), rows)


def _folds(rows: Sequence[Judged], seed: int) -> list[int]:
    """The fold of each question, dealt out so that each gets its share of the unanswerable ones."""
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    order.sort(key=lambda i: rows[i].answerable)
    folds = [0] * len(rows)
    for turn, place in enumerate(order):
        folds[place] = turn % FOLDS
    return folds


def _held_out(rows: Sequence[Judged], folds: Sequence[int], way: Fitting) -> list[_HeldOut]:
    """Every question by a fit that has not seen it."""
    fits = [way([row for row, f in zip(rows, folds, strict=True) if f != fold]) for fold in range(FOLDS)]
    return [
        _HeldOut(fits[fold].logits(row.features), fits[fold].relevance(row.features))
        for row, fold in zip(rows, folds, strict=True)
    ]


def _quality(rows: Sequence[Judged], relevance: Sequence[Numbers], logits: Sequence[Numbers]) -> Quality:
    predicted, relevant = np.concatenate(relevance), np.concatenate([row.relevant for row in rows])
    return Quality(
        log_loss(predicted, relevant),
        calibration_error(predicted, relevant),
        _ndcg(rows, logits),
        tuple(bins(predicted, relevant)),
    )


def _ndcg(rows: Sequence[Judged], logits: Sequence[Numbers]) -> float:
    """Of the documents that were found: how the fit orders them, not what the first stage misses."""
    rankings, grades = {}, {}
    for row, values in zip(rows, logits, strict=True):
        if row.relevant.any():
            order = np.argsort(-values, kind="stable")
            rankings[row.question] = by_document(row.documents[i] for i in order)
            grades[row.question] = {
                name: 1 for name, is_ in zip(row.documents, row.relevant, strict=True) if is_
            }
    return mean(score_rankings(rankings, grades, 10, 50))["ndcg@10"]


def _as_fit(calibration: Calibration) -> Fit:
    return Fit(calibration.weights, calibration.bias, calibration.isotonic)


def _told(questions: int, dataset: Dataset) -> str:
    drafted = f", {dataset.synthetic} of them synthetic" if dataset.synthetic else ""
    return f"{questions} questions of {dataset.name}{drafted}"
