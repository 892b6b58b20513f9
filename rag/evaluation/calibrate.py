"""A calibration fitted on a user's own questions, judged on questions that it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.calibration import Calibration
from rag.errors import InputError
from rag.evaluation.candidates import Judged, judge_questions, usable
from rag.evaluation.crossvalidation import Fitting, HeldOut, hold_out
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import open_for
from rag.evaluation.fitting import OF_THE_CANDIDATE, fit, platt, round_off, straighten
from rag.evaluation.guarantee import Guarantee, guarantee
from rag.evaluation.metrics import by_document, mean, score_rankings
from rag.evaluation.naming import naming
from rag.evaluation.reliability import Bin, bins, calibration_error, log_loss
from rag.evaluation.separation import Asked, Proposal, Wish, area, propose
from rag.pipeline import Pipeline
from rag.protocols import Progress
from rag.second_stage.fitted import CalibrationFile
from rag.settings import Settings

_FEWEST = 20

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of relevances for passages of questions that were held out."""

    log_loss: float
    calibration_error: float
    ndcg: float = field(metadata={"key": "ndcg@10"})


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
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]
    fitted: Calibration
    proposal: Proposal
    promise: Guarantee | None
    separation: float | None
    file: CalibrationFile
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
    rows = [row for row in judge_questions(pipeline, dataset, named, progress) if len(row.relevant)]
    _check(rows, dataset)
    current, ways = pipeline.calibration, _ways(rows)
    configured = [HeldOut(current.logits(r.features), current.relevances(r.features)) for r in rows]
    held_out = {name: hold_out(rows, way, seed) for name, way in ways.items()}
    tried = {name: _quality(rows, found) for name, found in held_out.items()}
    chosen = min(tried, key=lambda name: tried[name].log_loss)
    asked = tuple(
        Asked(row.answerable, h.relevance, row.relevant)
        for row, h in zip(rows, held_out[chosen], strict=True)
    )
    proposal = propose(asked, wish, settings.reranker.top_k)
    fitted = replace(
        round_off(ways[chosen](rows)),
        transform=current.transform,
        fitted_on=_describe(len(rows), dataset),
        threshold=round(proposal.threshold, 4),
    )
    card = pipeline.reranker.card
    return Calibrated(
        config=config,
        dataset=dataset,
        reranker=f"{card.kind} {card.model}".strip(),
        chosen=chosen,
        tried=tried,
        before=_quality(rows, configured),
        threshold_before=pipeline.rule.threshold,
        bins_before=_bins(rows, configured),
        bins_after=_bins(rows, held_out[chosen]),
        fitted=fitted,
        proposal=proposal,
        promise=_promise(replace(pipeline, calibration=fitted), dataset, wish),
        separation=area(asked),
        file=CalibrationFile.of(card, fitted, rag.assembly.scored_with(settings.reranker)),
        path=path,
        asked=asked,
    )


def _promise(pipeline: Pipeline, dataset: Dataset, wish: Wish) -> Guarantee | None:
    """Of confidences as they will be with the new calibration, on the questions without an answer."""
    if wish.false_answers is None or pipeline.confidence is None:
        return None
    unable = [question.text for question in dataset.questions if question.can_be_answered is False]
    found = (pipeline.read(pipeline.find(question)) for question in pipeline.encode_many(unable))
    return guarantee([pipeline.judge(one).confidence for one in found], wish.false_answers)


def write(found: Calibrated) -> None:
    head = (
        f"# Made by `rag calibrate {found.config}`; a config names it as reranker.calibration.\n"
        f"# Held out: calibration error {found.before.calibration_error:.4f} before, "
        f"{found.after.calibration_error:.4f} after; log loss {found.before.log_loss:.4f} before, "
        f"{found.after.log_loss:.4f} after.\n"
    )
    found.path.parent.mkdir(parents=True, exist_ok=True)
    found.path.write_text(found.file.yaml(head), "utf-8")


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """A calibration in figures: what is printed, and what `--json` says."""

    dataset: str
    config: str
    questions: int
    synthetic: int
    reranker: str
    before: Quality
    after: Quality
    chosen: str
    tried: Mapping[str, Quality]
    threshold: Proposal
    promise: Guarantee | None
    separation: float | None
    path: str


def summarise_calibration(found: Calibrated) -> CalibrationSummary:
    return CalibrationSummary(
        dataset=found.dataset.name,
        config=found.config,
        questions=len(found.asked),
        synthetic=found.dataset.synthetic,
        reranker=found.reranker,
        before=found.before,
        after=found.after,
        chosen=found.chosen,
        tried=found.tried,
        threshold=found.proposal,
        promise=found.promise,
        separation=found.separation,
        path=str(found.path),
    )


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


def _quality(rows: Sequence[Judged], found: Sequence[HeldOut]) -> Quality:
    predicted, relevant = _passages(rows, found)
    return Quality(
        log_loss(predicted, relevant),
        calibration_error(predicted, relevant),
        _ndcg(rows, [one.logits for one in found]),
    )


def _bins(rows: Sequence[Judged], found: Sequence[HeldOut]) -> tuple[Bin, ...]:
    return tuple(bins(*_passages(rows, found)))


def _passages(rows: Sequence[Judged], found: Sequence[HeldOut]) -> tuple[Numbers, NDArray[np.bool_]]:
    """Of all questions: the relevance predicted of each, and whether it is relevant."""
    return np.concatenate([one.relevance for one in found]), np.concatenate([row.relevant for row in rows])


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


def _describe(questions: int, dataset: Dataset) -> str:
    drafted = f", {dataset.synthetic} of them synthetic" if dataset.synthetic else ""
    return f"{questions} questions of {dataset.name}{drafted}"
