"""report.html of an evaluation or a comparison: one page that opens without a network, and its pictures.

Every figure on the page is also in what `--json` prints; nothing here is computed anew but the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from rag.evaluation import figures
from rag.evaluation.answers import summarise
from rag.evaluation.calibrate import Calibrated, Quality
from rag.evaluation.compare import Comparison, Pair
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import Evaluation, Scored, cost
from rag.evaluation.figures import Line, Picture, Point, Row, Spot
from rag.evaluation.reliability import bins, calibration_error
from rag.evaluation.separation import area, curve
from rag.evaluation.tune import Tuned
from rag.evaluation.verdict import shown_p
from rag.report import render

_WORST = 20
_CANDIDATES = 10
_MOODS = {"adopt": "adopt", "keep": "keep", "not enough questions": "open"}


@dataclass(frozen=True, slots=True)
class Table:
    """`prose`: its cells are words, not figures to be set under one another."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    text: Sequence[str] = ()
    picture: Picture | None = None
    table: Table | None = None

    @property
    def numbers(self) -> Table | None:
        """What the picture shows, for those who cannot see it."""
        shown = self.picture
        return Table(f"{shown.title}, as figures", shown.columns, shown.rows) if shown else None


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    subtitle: str
    headline: str
    verdict: str
    mood: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str, str]] = ()
    warnings: Sequence[str] = field(default=())


def write_report(page: Page, folder: Path) -> None:
    pictures = [section.picture for section in page.sections if section.picture]
    figures.save(pictures, folder / "figures")
    (folder / "report.html").write_text(render("evaluation.html.j2", page=page), "utf-8")


# --- one config ----------------------------------------------------------------------------


def evaluation_page(evaluation: Evaluation) -> Page:
    verdict = evaluation.verdict()
    return Page(
        title=f"rag eval: {evaluation.config} on {evaluation.dataset.name}",
        subtitle=_subtitle(evaluation),
        headline=_headline(evaluation),
        verdict=f"Reranking against the first stage's order: {verdict.text}. {_answered(evaluation)}".strip(),
        mood=_MOODS[verdict.word],
        warnings=_warnings([evaluation]),
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


def _answered(evaluation: Evaluation) -> str:
    said = summarise([one.answer for one in evaluation.scored if one.answer])
    told = []
    if said["recall"] is not None:
        told.append(f"{said['recall']:.0%} of {said['answerable']} answerable questions were answered")
    if said["false_answer_rate"] is not None:
        told.append(
            f"{said['false_answer_rate']:.0%} of {said['unanswerable']} unanswerable ones were answered too"
        )
    return f"{', '.join(told)}." if told else ""


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
            picture=figures.latency("latency", "Quality against time", metric, _stages_as_spots(evaluation)),
        )
        if evaluation.ranked and evaluation.latency()
        else None,
        _worse_section(evaluation),
        _kinds_section(evaluation),
        Section("All measures", table=_measures(evaluation)) if evaluation.ranked else None,
        Section("Answers", table=_answers([evaluation])),
        Section("Time and cost", table=_times([evaluation])),
        Section("What made this", table=_made_by([evaluation])),
    ]


def _before_and_after(evaluation: Evaluation) -> Section:
    found = [(name, evaluation.interval(name)) for name in ("before", "after")]
    points = [Point(f"{name} reranking", i.mean, i.low, i.high) for name, i in found]
    gain = evaluation.gain()
    text = (
        f"Gain {gain.mean:+.3f}, 95% interval {gain.low:+.3f} to {gain.high:+.3f}, {shown_p(gain.p)}: "
        f"{gain.wins} questions better, {gain.losses} worse, {gain.ties} the same. The two intervals below "
        "may overlap where the gain is sure: each question is compared with itself. "
        f"A gain below {evaluation.options.effect:g} would not be worth a change."
    )
    picture = figures.means(
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
    picture = figures.bump("bump", "Who moved where", shown.question.text, lines)
    text = (
        f"The question that {'gained' if _gain(shown, evaluation.metric) > 0 else 'lost'} most: "
        f"“{shown.question.text}” ({evaluation.metric} {shown.before[evaluation.metric]:.3f} to "
        f"{shown.after[evaluation.metric]:.3f}). A star and a thick line: judged relevant."
    )
    return Section("Who moved where, and why", [text], picture, _why_table(lines))


def _lines(evaluation: Evaluation, one: Scored) -> list[Line]:
    """The documents of the first places on either side, and the relevant ones."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in one.ledger:
        best.setdefault(evaluation.naming.document(row["source"]), row)
    before = [evaluation.naming.document(row["source"]) for row in sorted(one.ledger, key=_fused)]
    order = list(dict.fromkeys(before))
    relevant = {name for name, grade in one.question.relevant.items() if grade > 0}
    return [
        Line(name, order.index(name) + 1, place, name in relevant, _why(row))
        for place, (name, row) in enumerate(best.items(), start=1)
        if place <= _CANDIDATES or order.index(name) < _CANDIDATES // 2 or name in relevant
    ]


def _fused(row: Mapping[str, Any]) -> int:
    rank: int = row["fused_rank"]
    return rank


def _why(row: Mapping[str, Any]) -> str:
    return (
        f"dense {row['dense_rank'] or '–'}, lexical {row['lexical_rank'] or '–'}, "
        f"score {row['score']:.3f}, relevance {row['relevance']:.3f}"
        + ("" if row["kept"] else f"; not used: {row['reason']}")
    )


def _why_table(lines: Sequence[Line]) -> Table:
    rows = [(line.label, f"{line.before} → {line.after}", line.why) for line in lines]
    return Table("Each document's move, and what moved it", ("document", "place", "why"), rows, prose=True)


def _gains_section(evaluation: Evaluation) -> Section:
    rows = [
        (one.question.id, one.before[evaluation.metric], one.after[evaluation.metric])
        for one in evaluation.ranked
    ]
    picture = figures.gains("gains", "Each question's gain", evaluation.metric, rows, "before reranking")
    return Section("Each question's gain", picture=picture)


def _reliability_section(evaluation: Evaluation) -> Section | None:
    asked = evaluation.judged()
    predicted = [value for one in asked for value in one.relevance.tolist()]
    relevant = [value for one in asked for value in one.relevant.tolist()]
    if not any(relevant):
        return None
    values, truth = np.array(predicted), np.array(relevant)
    shown = [(b.predicted, b.observed, b.count) for b in bins(values, truth)]
    error = calibration_error(values, truth)
    threshold = float(evaluation.record["models"]["threshold"])
    text = (
        f"Expected calibration error {error:.3f} over {len(predicted):,} passages. Of a document that is "
        "judged relevant its best passage counts, the others are left out. A passage that nobody has judged "
        "counts as not relevant."
    )
    picture = figures.reliability(
        "reliability", "Is a relevance of 0.7 right in 7 of 10 cases?", shown, error, threshold
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
    picture = figures.answer_rates("answer-rates", "Answered and falsely answered", curve(asked))
    return Section("False answers against answers", [text], picture)


def _stages_as_spots(evaluation: Evaluation) -> list[Spot]:
    """The first stage alone, and with the reranker on top."""
    means = {which: evaluation.means(which)[evaluation.metric] for which in ("before", "after")}
    return [
        Spot("before reranking", means["before"], *_milliseconds(evaluation, ("encode", "retrieve"))),
        Spot("after reranking", means["after"], *_milliseconds(evaluation, ("encode", "retrieve", "rerank"))),
    ]


def _milliseconds(evaluation: Evaluation, stages: Sequence[str]) -> tuple[float, float]:
    """Median and 95th percentile of the stages' sum: percentiles of stages do not add up."""
    taken = [
        sum(stage["ms"] for stage in one.line["trace"]["stages"] if stage["name"] in stages)
        for one in evaluation.scored
        if not one.failed
    ]
    middle, high = np.percentile(taken, [50, 95]) if taken else (0.0, 0.0)
    return float(middle), float(high)


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
                _with_interval(gain.mean, gain.low, gain.high),
            )
        )
    return Table("All measures", ("", "before", "after", "gain (95% interval)"), rows)


def _with_interval(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


# --- several -------------------------------------------------------------------------------


def comparison_page(comparison: Comparison) -> Page:
    verdict, baseline = comparison.verdict, comparison.baseline
    refused = [f"{one.config} was refused: {one.reason}" for one in comparison.refused]
    return Page(
        title=f"rag compare on {baseline.dataset.name}",
        subtitle=_subtitle(baseline),
        headline=verdict.word.capitalize(),
        verdict=verdict.text,
        mood=_MOODS[verdict.word],
        warnings=[*refused, *_warnings(comparison.arms)],
        facts=[
            ("Questions", f"{len(baseline.ranked)}", "whose ranking can be judged"),
            *(
                (arm.config, f"{arm.means('after')[baseline.metric]:.3f}", baseline.metric)
                for arm in comparison.arms
            ),
        ],
        sections=[*_comparison_sections(comparison), *_pair_sections(comparison)],
    )


def _comparison_sections(comparison: Comparison) -> list[Section]:
    baseline, arms = comparison.baseline, comparison.arms
    metric = baseline.metric
    found = [(arm.config, arm.interval("after")) for arm in arms]
    points = [Point(config, i.mean, i.low, i.high) for config, i in found]
    sections = [
        Section(
            f"{metric} of each",
            picture=figures.means("means", f"{metric} of each config", metric, points),
        )
    ]
    if comparison.pairs:
        gains = [
            Point(p.config, p.differences[metric].mean, p.differences[metric].low, p.differences[metric].high)
            for p in comparison.pairs
        ]
        text = (
            f"Held against {baseline.config}, question by question. p is corrected, by Holm's procedure, for "
            f"there being several. A gain below {baseline.options.effect:g} would not be worth a change."
        )
        picture = figures.differences("differences", "Gain over the first config", metric, gains)
        sections.append(Section("Gain over the first", [text], picture, _differences(comparison)))
    spots = [Spot(arm.config, arm.means("after")[metric], *_milliseconds(arm, _ALL)) for arm in arms]
    sections += [
        Section(
            "Quality against time", picture=figures.latency("latency", "Quality against time", metric, spots)
        ),
        Section("Answers", table=_answers(arms)),
        Section("Time and cost", table=_times(arms)),
        Section("What made this", table=_made_by(arms)),
    ]
    return sections


_ALL = ("encode", "retrieve", "rerank", "select", "generate")


def _pair_sections(comparison: Comparison) -> Iterator[Section]:
    """Win, tie and loss, and the questions that moved most."""
    for number, pair in enumerate(comparison.pairs, start=2):
        yield _pair_section(pair, comparison.baseline.metric, f"gains-{number}")


def _pair_section(pair: Pair, metric: str, name: str) -> Section:
    rows = [(move.id, move.baseline, move.other) for move in pair.moves]
    picture = figures.gains(
        name, f"Each question's gain by {pair.config}", metric, rows, "with the first config"
    )
    moved = [(m.text, f"{m.baseline:.3f}", f"{m.other:.3f}", f"{m.gain:+.3f}", m.id) for m in pair.moved]
    columns = ("question", "first", "this", "gain", "id")
    table = Table("The questions that moved most", columns, moved) if moved else None
    return Section(f"{pair.config}: {pair.verdict.word}", [pair.verdict.text], picture, table)


def _differences(comparison: Comparison) -> Table:
    rows = [
        (
            f"{pair.config}: {name}",
            _with_interval(found.mean, found.low, found.high),
            f"{found.p:.4f}",
            f"{pair.corrected[name]:.4f}",
            f"{found.wins} / {found.ties} / {found.losses}",
        )
        for pair in comparison.pairs
        for name, found in pair.differences.items()
    ]
    columns = ("", "gain (95% interval)", "p", "p, corrected", "win / tie / loss")
    return Table("Gain over the first config", columns, rows)


# --- both ----------------------------------------------------------------------------------


def _subtitle(evaluation: Evaluation) -> str:
    versions = evaluation.record["versions"]
    return (
        f"{len(evaluation.scored)} questions, seed {evaluation.options.seed}. Made by rag {versions['rag']} "
        f"on Python {versions['python']}, {evaluation.record['started']}."
    )


def _synthetic(dataset: Dataset) -> list[str]:
    if not dataset.synthetic:
        return []
    return [
        f"{dataset.synthetic} of {len(dataset.questions)} questions are synthetic: drafted by a machine from "
        "the documents themselves, easier to find than what people ask"
    ]


def _warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    found = _synthetic(evaluations[0].dataset)
    for one in evaluations:
        if one.failed or one.degraded:
            found.append(
                f"{one.config}: {one.failed} questions failed, {one.degraded} not answered as configured; "
                "failed ones are left out of every figure"
            )
        if missing := one.naming.missing:
            found.append(
                f"{one.config}: {len(missing)} documents that are judged relevant are not in the index, "
                f"such as {missing[0]}"
            )
    return found


def _facts(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    before, after = evaluation.means("before"), evaluation.means("after")
    said = summarise([one.answer for one in evaluation.scored if one.answer])
    facts = [("Questions", f"{len(evaluation.scored)}", f"{len(evaluation.ranked)} with judged documents")]
    if after:
        name = evaluation.metric
        facts.append((name, f"{after[name]:.3f}", f"{before[name]:.3f} before reranking"))
    if said["recall"] is not None:
        facts.append(("Answered", f"{said['recall']:.0%}", "of the answerable questions"))
    if said["false_answer_rate"] is not None:
        facts.append(
            ("Answered falsely", f"{said['false_answer_rate']:.0%}", "of the unanswerable questions")
        )
    if total := evaluation.latency().get("total"):
        facts.append(("A question takes", f"{total['p50']:.0f} ms", f"95th percentile {total['p95']:.0f} ms"))
    return facts


def _answers(evaluations: Sequence[Evaluation]) -> Table:
    columns = [summarise([one.answer for one in e.scored if one.answer]) for e in evaluations]
    rows = [(name.replace("_", " "), *(_shown(found[name]) for found in columns)) for name in columns[0]]
    return Table("Answers", ("", *(e.config for e in evaluations)), rows)


def _shown(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def _times(evaluations: Sequence[Evaluation]) -> Table:
    times = [e.latency() for e in evaluations]
    stages = list(dict.fromkeys(chain.from_iterable(times)))
    rows: list[Row] = [
        (
            f"{stage}: median / 95th percentile, ms",
            *(f"{t[stage]['p50']:.1f} / {t[stage]['p95']:.1f}" if stage in t else "–" for t in times),
        )
        for stage in stages
    ]
    costs = [cost(e.scored) for e in evaluations]
    rows += [(name.replace("_", " "), *(_shown(c[name]) for c in costs)) for name in costs[0]]
    return Table("Time and cost", ("", *(e.config for e in evaluations)), rows)


def _made_by(evaluations: Sequence[Evaluation]) -> Table:
    def row(name: str, *path: str) -> Row:
        return (name, *(_at(e.record, path) for e in evaluations))

    rows = [
        row("embedder", "models", "embedder", "name"),
        row("first stage", "models", "retriever"),
        row("candidates", "settings", "retriever", "top_n"),
        row("reranker", "models", "reranker", "kind"),
        row("its model", "models", "reranker", "model"),
        row("calibration fitted on", "models", "calibration", "fitted_on"),
        row("threshold", "models", "threshold"),
        row("generator", "models", "generator"),
        row("documents", "index", "documents"),
        row("passages", "index", "chunks"),
        row("index", "index", "fingerprint"),
    ]
    return Table("Models and settings", ("", *(e.config for e in evaluations)), rows, prose=True)


def _at(record: Mapping[str, Any], path: Sequence[str]) -> str:
    value: Any = record
    for key in path:
        value = value[key]
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"


# --- a calibration -------------------------------------------------------------------------


def calibration_page(found: Calibrated) -> Page:
    before, after = found.before, found.after
    headline = f"Threshold {found.proposal.threshold:.4f}" if found.proposal.clean else "No clean separation"
    facts = [
        ("Questions", str(len(found.asked)), "fitted and judged on different ones, in turns"),
        ("Calibration error", f"{after.calibration_error:.3f}", f"{before.calibration_error:.3f} before"),
        ("Log loss", f"{after.log_loss:.4f}", f"{before.log_loss:.4f} before"),
    ]
    if found.separation is not None:
        facts.append(("Separation", f"{found.separation:.3f}", "0.5 is chance, 1 is perfect"))
    return Page(
        title=f"rag calibrate: {found.config} on {found.dataset.name}",
        subtitle=f"Reranker {found.reranker}; chosen: {found.chosen}; written to {found.path}.",
        headline=headline,
        verdict=found.proposal.text,
        mood="adopt" if found.proposal.clean else "open",
        facts=facts,
        warnings=_synthetic(found.dataset),
        sections=_calibration_sections(found),
    )


def _calibration_sections(found: Calibrated) -> list[Section]:
    sections = [
        Section(f"Reliability {when}", picture=_reliability_of(when, quality, threshold))
        for when, quality, threshold in (
            ("before", found.before, found.threshold_before),
            ("after", found.after, found.proposal.threshold),
        )
    ]
    if found.separation is not None:
        picture = figures.answer_rates("answer-rates", "Answered and falsely answered", curve(found.asked))
        sections.append(Section("False answers against answers", picture=picture))
    rows = [
        (name, f"{q.log_loss:.4f}", f"{q.calibration_error:.4f}", f"{q.ndcg:.3f}")
        for name, q in {"as configured": found.before, **found.tried}.items()
    ]
    columns = ("held out", "log loss", "calibration error", "ndcg@10")
    sections.append(Section("What was tried", table=Table("What was tried", columns, rows)))
    return sections


def _reliability_of(when: str, quality: Quality, threshold: float) -> Picture:
    shown = [(b.predicted, b.observed, b.count) for b in quality.bins]
    return figures.reliability(
        f"reliability-{when}", f"Reliability {when} calibration", shown, quality.calibration_error, threshold
    )


# --- tuning --------------------------------------------------------------------------------


def tuning_page(found: Tuned) -> Page:
    chosen, metric = found.chosen, found.baseline.metric
    judged = found.judged[chosen.label]
    return Page(
        title=f"rag tune: {found.config} on {found.dataset.name}",
        subtitle=(
            f"{len(found.trials)} settings tried on one half of {len(found.dataset.questions)} questions, "
            "judged on the other."
        ),
        headline=f"{found.verdict.word.capitalize()}: {chosen.label}",
        verdict=f"On questions that chose nothing: {found.verdict.text}. Written to {found.path}.",
        mood=_MOODS[found.verdict.word],
        facts=[
            (
                metric,
                f"{judged.means('after')[metric]:.3f}",
                f"{found.baseline.means('after')[metric]:.3f} before",
            ),
            ("A search takes", f"{chosen.ms:.0f} ms", f"the budget is {found.budget_ms:g} ms"),
            ("Threshold", f"{found.cut.threshold:.4f}", f"ratio {found.cut.ratio or 'none'}"),
        ],
        warnings=_synthetic(found.dataset),
        sections=_tuning_sections(found),
    )


def _tuning_sections(found: Tuned) -> list[Section]:
    metric = found.baseline.metric
    picture = figures.pareto(
        "front",
        "Quality against time of every setting",
        metric,
        [(trial.ms, trial.quality) for trial in found.trials],
        [(trial.label, trial.ms, trial.quality) for trial in found.front],
        found.budget_ms,
    )
    rows = [
        (
            trial.label,
            f"{trial.ms:.0f}",
            f"{trial.quality:.3f}",
            f"{found.judged[trial.label].means('after')[metric]:.3f}" if trial.label in found.judged else "–",
        )
        for trial in found.front
    ]
    columns = ("setting", "ms", f"{metric}, chosen by", f"{metric}, judged by")
    before_and_after = [found.baseline, found.judged[found.chosen.label]]
    text = "What was chosen by one half looks better there than it is: the last column is the honest one."
    return [
        Section("The front", [text], picture, Table("The front", columns, rows)),
        Section("Answers: does a passage pass the threshold?", table=_answers(before_and_after)),
        Section("What made this", table=_made_by(before_and_after)),
    ]
