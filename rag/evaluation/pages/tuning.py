"""The page of a tuning."""

from __future__ import annotations

from rag.evaluation.pages import pictures
from rag.evaluation.pages.page import MOODS, Page, Section, Table, answer_rows, made_by, synthetic
from rag.evaluation.tune import Tuned


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
        mood=MOODS[found.verdict.word],
        facts=[
            (
                metric,
                f"{judged.means('after')[metric]:.3f}",
                f"{found.baseline.means('after')[metric]:.3f} before",
            ),
            ("A search takes", f"{chosen.ms:.0f} ms", f"the budget is {found.budget_ms:g} ms"),
            ("Threshold", f"{found.cut.threshold:.4f}", f"ratio {found.cut.ratio or 'none'}"),
        ],
        warnings=synthetic(found.dataset),
        sections=_tuning_sections(found),
    )


def _tuning_sections(found: Tuned) -> list[Section]:
    metric = found.baseline.metric
    picture = pictures.pareto(
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
        Section("Answers: does a passage pass the threshold?", table=answer_rows(before_and_after)),
        Section("What made this", table=made_by(before_and_after)),
    ]
