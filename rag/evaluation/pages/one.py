"""The page of one evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.evaluation.pages import pictures
from rag.evaluation.pages.page import (
    MOODS,
    Page,
    Section,
    Table,
    answer_rows,
    made_by,
    milliseconds,
    subtitle,
    times,
    warnings_of,
    with_interval,
)
from rag.evaluation.pages.pictures import Line, Point, Row, Spot
from rag.evaluation.reliability import bins, calibration_error
from rag.evaluation.scoring import Evaluation, Scored, rank_documents
from rag.evaluation.separation import area, curve
from rag.evaluation.verdict import show_p
from rag.types import CandidateTrace

_WORST = 20

_CANDIDATES = 10


def evaluation_page(evaluation: Evaluation) -> Page:
    verdict, answers = evaluation.verdict(), _describe_answers(evaluation)
    return Page(
        title=f"rag eval: {evaluation.config} on {evaluation.dataset.name}",
        subtitle=subtitle(evaluation),
        headline=_headline(evaluation),
        verdict=f"Reranking against the first stage's order: {verdict.text}. {answers}".strip(),
        mood=MOODS[verdict.word],
        warnings=warnings_of([evaluation]),
        facts=_facts(evaluation),
        sections=[section for section in _evaluation_sections(evaluation) if section],
    )


def _headline(evaluation: Evaluation) -> str:
    if not evaluation.ranked:
        return "No question says which documents answer it"
    verdict, gain = evaluation.verdict(), evaluation.gain()
    if verdict.word == "adopt":
        return f"Reranking pays: {gain.mean:+.3f}"
    if verdict.word == "keep":
        return "Reranking does harm" if gain.high < 0 else "Reranking makes no difference that matters"
    return f"Not enough questions: about {verdict.needed:,} would tell"


def _describe_answers(evaluation: Evaluation) -> str:
    found = evaluation.answers()
    parts = []
    if found.recall is not None:
        parts.append(f"{found.recall:.0%} of {found.answerable} answerable questions were answered")
    if found.false_answer_rate is not None:
        parts.append(
            f"{found.false_answer_rate:.0%} of {found.unanswerable} unanswerable ones were answered too"
        )
    return f"{', '.join(parts)}." if parts else ""


def _evaluation_sections(evaluation: Evaluation) -> list[Section | None]:
    metric = evaluation.metric
    return [
        _before_and_after(evaluation) if evaluation.ranked else None,
        _bump_section(evaluation),
        _gains_section(evaluation) if evaluation.ranked else None,
        _reliability_section(evaluation),
        _separation_section(evaluation),
        Section(
            "Quality against time",
            picture=pictures.latency("latency", "Quality against time", metric, _stages_as_spots(evaluation)),
        )
        if evaluation.ranked and evaluation.latency()
        else None,
        _worse_section(evaluation),
        _kinds_section(evaluation),
        Section("All measures", table=_measures(evaluation)) if evaluation.ranked else None,
        Section("Answers", table=answer_rows([evaluation])),
        Section("Time and cost", table=times([evaluation])),
        Section("What made this", table=made_by([evaluation])),
    ]


def _before_and_after(evaluation: Evaluation) -> Section:
    found = [(name, evaluation.interval(name)) for name in ("before", "after")]
    points = [Point(f"{name} reranking", i.mean, i.low, i.high) for name, i in found]
    gain = evaluation.gain()
    text = (
        f"Gain {gain.mean:+.3f}, 95% interval {gain.low:+.3f} to {gain.high:+.3f}, {show_p(gain.p)}: "
        f"{gain.wins} questions better, {gain.losses} worse, {gain.ties} the same. The two intervals below "
        "may overlap where the gain is sure: each question is compared with itself. "
        f"A gain below {evaluation.options.effect:g} would not be worth a change."
    )
    picture = pictures.means(
        "means", f"{evaluation.metric} before and after reranking", evaluation.metric, points
    )
    return Section("Before and after reranking", [text], picture)


def _bump_section(evaluation: Evaluation) -> Section | None:
    """The question whose ranking gained most; where none did, the one that lost most."""
    moved = [one for one in evaluation.ranked if _gain(one, evaluation.metric)]
    if not moved:
        return None
    shown = max(moved, key=lambda one: (_gain(one, evaluation.metric), one.question.id))
    lines = _lines(evaluation, shown)
    picture = pictures.bump("bump", "Who moved where", shown.question.text, lines)
    text = (
        f"The question that {'gained' if _gain(shown, evaluation.metric) > 0 else 'lost'} most: "
        f"“{shown.question.text}” ({evaluation.metric} {shown.before[evaluation.metric]:.3f} to "
        f"{shown.after[evaluation.metric]:.3f}). A star and a thick line: judged relevant."
    )
    return Section("Who moved where, and why", [text], picture, _why_table(lines))


def _lines(evaluation: Evaluation, one: Scored) -> list[Line]:
    """The documents of the first places on either side, and the relevant ones."""
    named = evaluation.naming
    best: dict[str, CandidateTrace] = {}
    for row in one.candidates:
        best.setdefault(named.document(row.source), row)
    order = rank_documents(one.line, "fused_rank", named)
    relevant = {name for name, grade in one.question.relevant.items() if grade > 0}
    return [
        Line(name, order.index(name) + 1, place, name in relevant, _why(row))
        for place, (name, row) in enumerate(best.items(), start=1)
        if place <= _CANDIDATES or order.index(name) < _CANDIDATES // 2 or name in relevant
    ]


def _why(row: CandidateTrace) -> str:
    return (
        f"dense {row.dense_rank or '–'}, lexical {row.lexical_rank or '–'}, "
        f"score {row.score:.3f}, relevance {row.relevance:.3f}"
        + ("" if row.kept else f"; not used: {row.reason}")
    )


def _why_table(lines: Sequence[Line]) -> Table:
    rows = [(line.label, f"{line.before} → {line.after}", line.why) for line in lines]
    return Table("Each document's move, and what moved it", ("document", "place", "why"), rows, prose=True)


def _gains_section(evaluation: Evaluation) -> Section:
    rows = [
        (one.question.id, one.before[evaluation.metric], one.after[evaluation.metric])
        for one in evaluation.ranked
    ]
    picture = pictures.gains("gains", "Each question's gain", evaluation.metric, rows, "before reranking")
    return Section("Each question's gain", picture=picture)


def _reliability_section(evaluation: Evaluation) -> Section | None:
    asked = evaluation.judged()
    predicted = [value for one in asked for value in one.relevance.tolist()]
    relevant = [value for one in asked for value in one.relevant.tolist()]
    if not any(relevant):
        return None
    values, truth = np.array(predicted), np.array(relevant)
    error = calibration_error(values, truth)
    threshold = evaluation.provenance.models.threshold
    text = (
        f"Expected calibration error {error:.3f} over {len(predicted):,} passages. Of a document that is "
        "judged relevant its best passage counts, the others are left out. A passage that nobody has judged "
        "counts as not relevant."
    )
    picture = pictures.reliability(
        "reliability", "Is a relevance of 0.7 right in 7 of 10 cases?", bins(values, truth), error, threshold
    )
    return Section("Reliability of the relevance", [text], picture)


def _separation_section(evaluation: Evaluation) -> Section | None:
    asked = evaluation.judged()
    separated = area(asked)
    if separated is None:
        return None
    text = (
        f"What each threshold would cost. A question with an answer has the better best passage in "
        f"{separated:.0%} of all pairs; 50% is chance."
    )
    picture = pictures.answer_rates("answer-rates", "Answered and falsely answered", curve(asked))
    return Section("False answers against answers", [text], picture)


def _stages_as_spots(evaluation: Evaluation) -> list[Spot]:
    """The first stage alone, and with the reranker on top."""
    means = {which: evaluation.means(which)[evaluation.metric] for which in ("before", "after")}
    return [
        Spot("before reranking", means["before"], *milliseconds(evaluation, ("encode", "retrieve"))),
        Spot("after reranking", means["after"], *milliseconds(evaluation, ("encode", "retrieve", "rerank"))),
    ]


def _worse_section(evaluation: Evaluation) -> Section:
    worse = sorted(
        (one for one in evaluation.ranked if _gain(one, evaluation.metric) < 0),
        key=lambda one: (_gain(one, evaluation.metric), one.question.id),
    )
    if not worse:
        return Section("Questions that got worse", ["None."])
    rows = [
        (
            one.question.text,
            f"{one.before[evaluation.metric]:.3f}",
            f"{one.after[evaluation.metric]:.3f}",
            f"{_gain(one, evaluation.metric):+.3f}",
            one.question.id,
        )
        for one in worse[:_WORST]
    ]
    more = [f"The {_WORST} that lost most, of {len(worse)}."] if len(worse) > _WORST else []
    columns = ("question", "before", "after", "gain", "id")
    return Section("Questions that got worse", more, table=Table("Questions that got worse", columns, rows))


def _kinds_section(evaluation: Evaluation) -> Section | None:
    """Where the dataset says of what kind its questions are."""
    kinds = sorted({one.question.kind for one in evaluation.scored if one.question.kind})
    if len(kinds) < 2:
        return None
    rows = [
        _kind_row(kind, [o for o in evaluation.scored if o.question.kind == kind], evaluation)
        for kind in kinds
    ]
    columns = ("kind", "questions", f"{evaluation.metric} before", "after", "found")
    return Section("By kind of question", table=Table("By kind of question", columns, rows))


def _kind_row(kind: str, asked: Sequence[Scored], evaluation: Evaluation) -> Row:
    ranked, metric = [one for one in asked if one.after], evaluation.metric
    before, after = (
        f"{sum(getattr(one, which)[metric] for one in ranked) / len(ranked):.3f}" if ranked else "–"
        for which in ("before", "after")
    )
    found = sum(bool(one.answer and one.answer.found) for one in asked)
    return (kind, len(asked), before, after, found)


def _gain(one: Scored, metric: str) -> float:
    return one.after[metric] - one.before[metric]


def _measures(evaluation: Evaluation) -> Table:
    before, after = evaluation.means("before"), evaluation.means("after")
    rows = []
    for name in after:
        gain = evaluation.gain(name)
        rows.append(
            (
                name,
                f"{before[name]:.3f}",
                f"{after[name]:.3f}",
                with_interval(gain.mean, gain.low, gain.high),
            )
        )
    return Table("All measures", ("", "before", "after", "gain (95% interval)"), rows)


def _facts(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    before, after = evaluation.means("before"), evaluation.means("after")
    answers = evaluation.answers()
    facts = [("Questions", f"{len(evaluation.scored)}", f"{len(evaluation.ranked)} with judged documents")]
    if after:
        name = evaluation.metric
        facts.append((name, f"{after[name]:.3f}", f"{before[name]:.3f} before reranking"))
    if answers.recall is not None:
        facts.append(("Answered", f"{answers.recall:.0%}", "of the answerable questions"))
    if answers.false_answer_rate is not None:
        facts.append(
            ("Answered falsely", f"{answers.false_answer_rate:.0%}", "of the unanswerable questions")
        )
    if total := evaluation.latency().get("total"):
        facts.append(("A question takes", f"{total.p50:.0f} ms", f"95th percentile {total.p95:.0f} ms"))
    return facts
