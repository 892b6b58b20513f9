"""Outcomes → figures: shares, the refusal curve's one point, and how far confidence can be trusted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from manuals.asking import Outcome

KEPT = 0.9  # refusals are compared where this share of the questions with an answer is answered
BINS = 10


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    share: bool = True


COLUMNS = (
    Column("questions", "questions", share=False),
    Column("page_first", "right page first"),
    Column("page_in_five", "among five"),
    Column("fact_in_passages", "fact in the passages"),
    Column("fact_in_answer", "fact in the answer"),
    Column("of_those_in_passages", "of those in the passages"),
    Column("words", "words an answer", share=False),
    Column("misquotations", "misquoting answers", share=False),
    Column("lost_by_default", "with an answer, unsure or refused"),
    Column("answered_wrongly", "without one, answered"),
    Column("refused_at_90", "refused at 90% answered"),
    Column("calibration_error", "calibration error", share=False),
    Column("ms", "ms", share=False),
)


def figures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """None where nothing is known, as of a fact where no question of the collection names one."""
    able = [outcome for outcome in outcomes if outcome.question.answerable]
    unable = [outcome for outcome in outcomes if not outcome.question.answerable]
    factual = [outcome for outcome in able if outcome.question.fact]
    reachable = [outcome for outcome in factual if outcome.fact_in_passages]
    placed = [outcome for outcome in able if outcome.question.pages]
    answered = [outcome for outcome in outcomes if outcome.answered]
    sure = sureness(outcomes)
    return {
        "questions": len(outcomes),
        "page_first": _share(outcome.gold[:1] == (True,) for outcome in placed),
        "page_in_five": _share(any(outcome.gold[:5]) for outcome in placed),
        "fact_in_passages": _share(outcome.fact_in_passages for outcome in factual),
        "fact_in_answer": _share(outcome.right and outcome.answered for outcome in factual),
        "of_those_in_passages": _share(outcome.right and outcome.answered for outcome in reachable),
        "words": statistics.mean(o.words for o in answered if o.question.answerable) if answered else None,
        "misquotations": sum(bool(outcome.misquoted) for outcome in outcomes),
        "lost_by_default": _share(not outcome.answered for outcome in able),
        "answered_wrongly": _share(outcome.answered for outcome in unable),
        "refused_at_90": refused_at(
            KEPT, [sure[o.question.id] for o in able], [sure[o.question.id] for o in unable]
        ),
        "calibration_error": calibration_error(
            [(sure[o.question.id], o.right) for o in (*factual, *unable)] if factual else []
        ),
        "ms": statistics.median(outcome.ms for outcome in outcomes),
    }


def sureness(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    """Of each question: the answer's confidence, or where no answer has any, its best relevance."""
    told = any(outcome.confidence for outcome in outcomes)
    return {o.question.id: o.confidence if told else o.relevance for o in outcomes}


def refused_at(kept: float, able: Sequence[float], unable: Sequence[float]) -> float | None:
    """Of the questions without an answer, the share below the threshold that keeps so many of the others."""
    if not able or not unable:
        return None
    threshold = sorted(able, reverse=True)[math.ceil(kept * len(able)) - 1]
    return _share(value < threshold for value in unable)


def calibration_error(told: Sequence[tuple[float, bool]]) -> float | None:
    """The mean distance, over ten bins of equal width, of what was told from how often it was so."""
    if not told:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for value, right in told:
        bins.setdefault(min(int(value * BINS), BINS - 1), []).append((value, right))
    return sum(
        abs(sum(value for value, _ in members) - sum(right for _, right in members))
        for members in bins.values()
    ) / len(told)


def table(measured: Mapping[str, Mapping[str, float | None]]) -> str:
    """A Markdown table: a row a figure, a column a collection."""
    rows = [["", *measured]]
    for column in COLUMNS:
        rows.append([column.title, *(_cell(column, values[column.key]) for values in measured.values())])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((lines[0], "|---" + "|--:" * len(measured) + "|", *lines[1:]))


def _cell(column: Column, value: float | None) -> str:
    if value is None:
        return "–"
    if column.share:
        return f"{value:.0%}"
    return f"{value:.3f}" if column.key == "calibration_error" else f"{value:.0f}"


def _share(held: Iterable[bool]) -> float | None:
    counted = list(held)
    return sum(counted) / len(counted) if counted else None
