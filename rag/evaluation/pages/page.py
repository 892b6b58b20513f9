"""report.html of an evaluation or a comparison: one page that opens without a network, and its pictures.

Every figure on the page is also in what `--json` prints; nothing here is computed anew but the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from rag.evaluation.dataset import Dataset
from rag.evaluation.pages import pictures
from rag.evaluation.pages.pictures import Picture, Row
from rag.evaluation.scoring import Evaluation
from rag.evaluation.summary import cost
from rag.runs.report import render

MOODS = {"adopt": "adopt", "keep": "keep", "not enough questions": "open"}


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
    shown = [section.picture for section in page.sections if section.picture]
    pictures.save(shown, folder / "pictures")
    (folder / "report.html").write_text(render("evaluation.html.j2", page=page), "utf-8")


def milliseconds(evaluation: Evaluation, stages: Sequence[str]) -> tuple[float, float]:
    """Median and 95th percentile of the stages' sum: percentiles of stages do not add up."""
    taken = [
        sum(stage.ms for stage in one.line.trace.stages if stage.name in stages)
        for one in evaluation.scored
        if not one.failed
    ]
    middle, high = np.percentile(taken, [50, 95]) if taken else (0.0, 0.0)
    return float(middle), float(high)


def with_interval(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def subtitle(evaluation: Evaluation) -> str:
    versions = evaluation.provenance.versions
    return (
        f"{len(evaluation.scored)} questions, seed {evaluation.options.seed}. Made by rag {versions['rag']} "
        f"on Python {versions['python']}, {evaluation.started}."
    )


def synthetic(dataset: Dataset) -> list[str]:
    if not dataset.synthetic:
        return []
    return [
        f"{dataset.synthetic} of {len(dataset.questions)} questions are synthetic: drafted by a machine from "
        "the documents themselves, easier to find than what people ask"
    ]


def warnings_of(evaluations: Sequence[Evaluation]) -> list[str]:
    found = synthetic(evaluations[0].dataset)
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


def answer_rows(evaluations: Sequence[Evaluation]) -> Table:
    rows = _compare([asdict(one.answers()) for one in evaluations])
    return Table("Answers", ("", *(e.config for e in evaluations)), rows)


def _compare(columns: Sequence[Mapping[str, float | int | None]]) -> list[Row]:
    return [(name.replace("_", " "), *(_show(column[name]) for column in columns)) for name in columns[0]]


def _show(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def times(evaluations: Sequence[Evaluation]) -> Table:
    times = [e.latency() for e in evaluations]
    stages = list(dict.fromkeys(chain.from_iterable(times)))
    rows: list[Row] = [
        (
            f"{stage}: median / 95th percentile, ms",
            *(f"{t[stage].p50:.1f} / {t[stage].p95:.1f}" if stage in t else "–" for t in times),
        )
        for stage in stages
    ]
    rows += _compare([asdict(cost(e.scored)) for e in evaluations])
    return Table("Time and cost", ("", *(e.config for e in evaluations)), rows)


def made_by(evaluations: Sequence[Evaluation]) -> Table:
    names = (
        *("embedder", "first stage", "candidates", "reranker", "its model", "calibration fitted on"),
        *("threshold", "generator", "documents", "passages", "index"),
    )
    columns = [_made_by(one) for one in evaluations]
    rows = [
        (name, *(value or "–" for value in values)) for name, *values in zip(names, *columns, strict=True)
    ]
    return Table("Models and settings", ("", *(e.config for e in evaluations)), rows, prose=True)


def _made_by(evaluation: Evaluation) -> tuple[str, ...]:
    models, index = evaluation.provenance.models, evaluation.provenance.index
    return (
        models.embedder.name,
        models.retriever,
        str(evaluation.depth),
        models.reranker.kind,
        models.reranker.model,
        models.calibration.fitted_on,
        f"{models.threshold:g}",
        models.generator,
        str(index.documents),
        str(index.chunks),
        str(index.fingerprint),
    )
