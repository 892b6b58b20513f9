"""What an evaluation found, in figures: what is printed, and what `--json` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rag.evaluation.answers import AnswersSummary
from rag.evaluation.metrics import Scores
from rag.evaluation.reliability import calibration_error
from rag.evaluation.scoring import Evaluation, Scored
from rag.evaluation.separation import Asked, area, false_answers_at
from rag.evaluation.statistics import Difference
from rag.evaluation.verdict import Verdict
from rag.runs.outcomes import Percentiles, add_up

# Of a figure in JSON.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Relevance:
    """How far relevance can be trusted, and whether any threshold tells who has an answer."""

    passages: int
    calibration_error: float
    separation: float | None
    false_answers_at_90: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What hosted services bill: search units and tokens of rerankers, tokens of language models. In money
    where the trace knows a price, else None."""

    rerank_units: float
    rerank_units_per_question: float
    rerank_cost: float | None
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Summary:
    dataset: str
    config: str
    questions: int
    ranked: int
    failed: int
    degraded: int
    synthetic: int
    before: Scores
    after: Scores
    intervals: Mapping[str, tuple[float, float]]
    gain: Difference
    verdict: Verdict
    answers: AnswersSummary
    relevance: Relevance
    latency_ms: Mapping[str, Percentiles]
    cost: Cost
    missing_documents: tuple[str, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class QuestionLine:
    """A line of questions.jsonl."""

    id: str = field(metadata={"key": "_id"})
    text: str
    kind: str
    answerable: bool | None
    before: Scores
    after: Scores
    found: bool | None
    exact_match: float | None
    f1: float | None
    ms: float | None
    failed: str
    degraded: str


def summarise(evaluation: Evaluation) -> Summary:
    intervals = {name: evaluation.interval(name) for name in ("before", "after") if evaluation.ranked}
    return Summary(
        dataset=evaluation.dataset.name,
        config=evaluation.config,
        questions=len(evaluation.scored),
        ranked=len(evaluation.ranked),
        failed=evaluation.failed,
        degraded=evaluation.degraded,
        synthetic=evaluation.dataset.synthetic,
        before=evaluation.means("before"),
        after=evaluation.means("after"),
        intervals={name: (found.low, found.high) for name, found in intervals.items()},
        gain=evaluation.gain(),
        verdict=evaluation.verdict(),
        answers=evaluation.answers(),
        relevance=_relevance(evaluation.judged()),
        latency_ms=evaluation.latency(),
        cost=cost(evaluation.scored),
        missing_documents=evaluation.naming.missing,
        folder=str(evaluation.folder),
    )


def question_line(one: Scored) -> QuestionLine:
    answer = one.answer
    return QuestionLine(
        id=one.question.id,
        text=one.question.text,
        kind=one.question.kind,
        answerable=one.question.can_be_answered,
        before=one.before,
        after=one.after,
        found=answer.found if answer else None,
        exact_match=answer.exact if answer else None,
        f1=answer.f1 if answer else None,
        ms=None if one.failed else round(one.line.ms, 3),
        failed=one.failed,
        degraded=one.degraded,
    )


def cost(scored: Sequence[Scored]) -> Cost:
    lines = [one.line for one in scored if not one.failed]
    spent = add_up(lines)
    return Cost(
        rerank_units=spent.rerank.units,
        rerank_units_per_question=spent.rerank.units / len(lines) if lines else 0.0,
        rerank_cost=spent.rerank.cost,
        prompt_tokens=spent.generate.prompt_tokens,
        completion_tokens=spent.generate.completion_tokens,
    )


def _relevance(asked: Sequence[Asked]) -> Relevance:
    predicted = np.concatenate([one.relevance for one in asked]) if asked else np.empty(0)
    relevant = np.concatenate([one.relevant for one in asked]) if asked else np.empty(0, dtype=np.bool_)
    separation = area(asked)
    return Relevance(
        passages=len(predicted),
        calibration_error=calibration_error(predicted, relevant),
        separation=separation,
        false_answers_at_90=None if separation is None else false_answers_at(asked, 0.9),
    )
