"""What came of a run's questions, counted and timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.runs.line import AnswerLine
from rag.runs.questions import AskedQuestion
from rag.second_stage.guards.price import Price


@dataclass(frozen=True, slots=True)
class Outcomes:
    questions: int
    found: int
    not_found: int
    failed: int


@dataclass(frozen=True, slots=True)
class Counts(Outcomes):
    """`answerable`, `unanswerable`: of the questions of which the file says so; None where it says so of
    none."""

    answerable: Outcomes | None = None
    unanswerable: Outcomes | None = None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Reranked:
    """How often each status came, and what was billed."""

    statuses: Mapping[str, int]
    units: float
    tokens: int
    cached: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Generated:
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    rerank: Reranked
    generate: Generated


@dataclass(frozen=True, slots=True)
class Results:
    """`milliseconds`: of each stage and in total."""

    seconds: float
    counts: Counts
    milliseconds: Mapping[str, Percentiles]
    spent: Spent


def count(questions: Sequence[AskedQuestion], answers: Sequence[AnswerLine]) -> Counts:
    """How the questions fared; apart for those of which the file says whether they can be answered."""
    expected = {question.id: question.answerable for question in questions}

    def of(able: bool) -> Outcomes | None:
        known = [answer for answer in answers if expected[answer.id] is able]
        return outcomes(known) if known else None

    whole = outcomes(answers)
    return Counts(whole.questions, whole.found, whole.not_found, whole.failed, of(True), of(False))


def outcomes(answers: Sequence[AnswerLine]) -> Outcomes:
    failed = sum(answer.error is not None for answer in answers)
    found = sum(answer.found for answer in answers)
    return Outcomes(len(answers), found, len(answers) - found - failed, failed)


def stage_times(answers: Iterable[AnswerLine]) -> dict[str, Percentiles]:
    """Of each stage, and of all of them as `total`, over the answers that came."""
    taken: dict[str, list[float]] = {}
    for answer in answers:
        for stage in answer.trace.stages:
            taken.setdefault(stage.name, []).append(stage.ms)
        if answer.trace.stages:
            taken.setdefault("total", []).append(answer.ms)
    return {name: _percentiles(taken[name]) for name in sorted(taken, key=lambda name: name == "total")}


def add_up(answers: Iterable[AnswerLine], writing: Price | None = None) -> Spent:
    """How reranking went, and what hosted parts billed, over the answers that came.

    `writing` is the price of the generator's tokens; a reranker's scores bring their own cost.
    """
    traces = [answer.trace for answer in answers]
    reranked = [trace.rerank for trace in traces if trace.rerank]
    generated = [trace.generate for trace in traces if trace.generate]
    prompt = sum(one.prompt_tokens or 0 for one in generated)
    completion = sum(one.completion_tokens or 0 for one in generated)
    costs = [one.cost for one in reranked if one.cost is not None]
    return Spent(
        Reranked(
            statuses=dict(sorted(Counter(one.status for one in reranked).items())),
            units=sum(one.units for one in reranked),
            tokens=sum(one.tokens for one in reranked),
            cached=sum(one.cached for one in reranked),
            cost=sum(costs) if costs else None,
        ),
        Generated(prompt, completion, writing.of(0.0, prompt + completion) if writing else None),
    )


def _percentiles(values: Sequence[float]) -> Percentiles:
    middle, high = np.percentile(values, [50, 95])
    return Percentiles(round(float(middle), 2), round(float(high), 2))
