"""What a setting would rank, worked out from one pass: each candidate is retrieved and scored once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.calibration import Calibration
from rag.evaluation.candidates import Judged, check_whole, feature_rows, judged_row, usable
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.fitting import OF_THE_CANDIDATE, fit, rescale
from rag.evaluation.metrics import by_document, mean, score_rankings
from rag.evaluation.naming import Naming
from rag.index.fusion import reciprocal_rank_fusion
from rag.index.index import Index
from rag.pipeline import Pipeline
from rag.protocols import Progress, Reranker
from rag.retrievers.own_index import IndexRetriever, Mode
from rag.types import Candidate, Question

MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
DEPTHS = (10, 20, 50, 100)
FUSIONS = (20, 60, 120)
_DEEPEST = max(DEPTHS)
# So many questions are asked for the time alone: a median needs no more.
_TIMED = 7
_EVIDENCE = {"half the evidence": 0.5, "twice the evidence": 2.0}

Numbers = NDArray[np.float64]
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting: its nDCG on the questions it was chosen by, and the time that its parts took."""

    mode: Mode
    depth: int
    rrf_k: int
    reranker: str
    evidence: str
    quality: float
    ms: float

    @property
    def label(self) -> str:
        fused = f", rrf_k {self.rrf_k}" if self.mode == "hybrid" else ""
        return f"{self.mode} {self.depth}{fused}; {self.reranker}, {self.evidence}"


@dataclass(frozen=True, slots=True)
class Arm:
    """A reranker with the calibration that belongs to it."""

    name: str
    reranker: Reranker
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Known:
    """A question's candidates, found by vectors or words, and what each reranker makes of them."""

    question: LabelledQuestion
    documents: tuple[str, ...]
    dense: tuple[int, ...]
    lexical: tuple[int, ...]
    features: Mapping[str, Numbers]

    def order(self, mode: Mode, depth: int, rrf_k: int) -> list[int]:
        """The candidates that this first stage would propose, best first."""
        lists = {"dense": [self.dense], "lexical": [self.lexical], "hybrid": [self.dense, self.lexical]}[mode]
        fused = reciprocal_rank_fusion([[str(i) for i in ids[:depth]] for ids in lists], rrf_k)
        return [int(id_) for id_, _ in fused[:depth]]


def look_up(
    pipeline: Pipeline,
    index: Index,
    arms: Sequence[Arm],
    dataset: Dataset,
    named: Naming,
    progress: Progress,
) -> list[Known]:
    found = []
    asked = pipeline.encode_many([question.text for question in dataset.questions])
    for done, (question, encoded) in enumerate(zip(dataset.questions, asked, strict=True), start=1):
        dense, lexical = (
            list(IndexRetriever(index, mode, _DEEPEST, 60).retrieve(encoded)) for mode in ("dense", "lexical")
        )
        found.append(_known(question, encoded, dense, lexical, arms, named))
        progress("score", done, len(dataset.questions))
    return found


def fit_ways(known: Sequence[Known], arm: Arm) -> dict[str, Calibration]:
    """The ways to weigh evidence beside the reranker's score, and what each makes of these questions."""
    rows = [row for one in known if len((row := _judged(one, arm)).relevant)]
    if not _ranks(known, arm) or not any(row.relevant.any() for row in rows):
        return {"as configured": arm.calibration}
    fitted = fit(rows, usable(rows, OF_THE_CANDIDATE))
    ways = {
        "as configured": arm.calibration,
        "score alone": rescale(rows, {"score": 1.0}),
        "fitted": fitted,
    }
    for name, factor in _EVIDENCE.items():
        ranks = {
            n: w * (1 if n == "score" else factor) for n, w in fitted.weights.items() if n in OF_THE_CANDIDATE
        }
        ways[f"fitted, {name}"] = rescale(rows, ranks)
    return ways


def rank_known(one: Known, arm: Arm, fitted: Calibration, mode: Mode, depth: int, rrf_k: int) -> list[int]:
    """As `rag.second_stage.rank` would rank: by the logit, and where it ties by the first stage's place."""
    order = one.order(mode, depth, rrf_k)
    if not order or arm.name == "none":
        return order
    logits = fitted.logits(one.features[arm.name][order])
    return [order[i] for i in np.argsort(-logits, kind="stable")]


def trials(
    known: Sequence[Known],
    arms: Sequence[Arm],
    ways: Mapping[str, Mapping[str, Calibration]],
    times: Mapping[tuple[str, int, str], float],
    k: int,
) -> list[Trial]:
    labelled = [one for one in known if one.question.labelled]
    grades = {one.question.id: one.question.relevant for one in labelled}
    found = []
    for mode, depth, rrf_k in _first_stages():
        for arm in arms:
            for name, fitted in ways[arm.name].items():
                rankings = {
                    one.question.id: by_document(
                        one.documents[i] for i in rank_known(one, arm, fitted, mode, depth, rrf_k)
                    )
                    for one in labelled
                }
                quality = mean(score_rankings(rankings, grades, k, depth))[f"ndcg@{k}"]
                ms = times[mode, depth, arm.name]
                found.append(Trial(mode, depth, rrf_k, arm.name, name, quality, ms))
    return found


def front(found: Iterable[Trial]) -> list[Trial]:
    """Those that no other beats in both quality and time, the fastest first."""
    best: list[Trial] = []
    for trial in sorted(found, key=lambda t: (t.ms, -t.quality, t.label)):
        if not best or trial.quality > best[-1].quality + 1e-9:
            best.append(trial)
    return best


def measure_times(
    pipeline: Pipeline, index: Index, arms: Sequence[Arm], questions: Sequence[LabelledQuestion]
) -> dict[tuple[str, int, str], float]:
    """Median milliseconds of encode, retrieve and rerank, for each first stage and reranker."""
    times: dict[tuple[str, int, str], list[float]] = {}
    for question in questions[:_TIMED]:
        encoded, encoding = _timed(pipeline.encode, question.text)
        for mode, depth in product(MODES, DEPTHS):
            found, retrieving = _timed(IndexRetriever(index, mode, depth, 60).retrieve, encoded)
            for arm in arms:
                scoring = _timed(partial(arm.reranker.score, encoded), found)[1] if found else 0.0
                times.setdefault((mode, depth, arm.name), []).append(encoding + retrieving + scoring)
    return {setting: statistics.median(taken) for setting, taken in times.items()}


def _timed(call: Callable[[A], B], argument: A) -> tuple[B, float]:
    started = time.perf_counter()
    result = call(argument)
    return result, (time.perf_counter() - started) * 1000


def _first_stages() -> Iterable[tuple[Mode, int, int]]:
    for mode in MODES:
        for depth in DEPTHS:
            for rrf_k in FUSIONS if mode == "hybrid" else FUSIONS[1:2]:
                yield mode, depth, rrf_k


def _known(
    question: LabelledQuestion,
    encoded: Question,
    dense: Sequence[Candidate],
    lexical: Sequence[Candidate],
    arms: Sequence[Arm],
    named: Naming,
) -> Known:
    union = list({c.chunk.id: c for c in (*dense, *lexical)}.values())
    places = {candidate.chunk.id: i for i, candidate in enumerate(union)}
    features = {}
    for arm in arms:
        values = check_whole(arm.reranker.score(encoded, union)).values if union else ()
        features[arm.name] = feature_rows(arm.calibration, values, union)
    return Known(
        question,
        tuple(named.document(candidate.chunk.source) for candidate in union),
        tuple(places[candidate.chunk.id] for candidate in dense),
        tuple(places[candidate.chunk.id] for candidate in lexical),
        features,
    )


def _ranks(known: Sequence[Known], arm: Arm) -> bool:
    return arm.name != "none" and any(len(one.documents) for one in known)


def _judged(one: Known, arm: Arm) -> Judged:
    return judged_row(one.question.id, one.features[arm.name], one.documents, one.question.relevant)
