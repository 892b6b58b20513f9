"""report.html of an evaluation or a comparison: one page that opens without a network, and its pictures.

Every figure on the page is also in what `--json` prints; nothing here is computed anew but the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from rag.evaluation.answers import summarise
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
    pictures.save(shown, folder / "figures")
    (folder / "report.html").write_text(render("evaluation.html.j2", page=page), "utf-8")


# --- one config ----------------------------------------------------------------------------


def milliseconds(evaluation: Evaluation, stages: Sequence[str]) -> tuple[float, float]:
    """Median and 95th percentile of the stages' sum: percentiles of stages do not add up."""
    taken = [
        sum(stage["ms"] for stage in one.line["trace"]["stages"] if stage["name"] in stages)
        for one in evaluation.scored
        if not one.failed
    ]
    middle, high = np.percentile(taken, [50, 95]) if taken else (0.0, 0.0)
    return float(middle), float(high)


def with_interval(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


# --- several -------------------------------------------------------------------------------


# --- both ----------------------------------------------------------------------------------


def subtitle(evaluation: Evaluation) -> str:
    versions = evaluation.record["versions"]
    return (
        f"{len(evaluation.scored)} questions, seed {evaluation.options.seed}. Made by rag {versions['rag']} "
        f"on Python {versions['python']}, {evaluation.record['started']}."
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
    columns = [summarise([one.answer for one in e.scored if one.answer]) for e in evaluations]
    rows = [(name.replace("_", " "), *(_shown(found[name]) for found in columns)) for name in columns[0]]
    return Table("Answers", ("", *(e.config for e in evaluations)), rows)


def _shown(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def times(evaluations: Sequence[Evaluation]) -> Table:
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


def made_by(evaluations: Sequence[Evaluation]) -> Table:
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


# --- tuning --------------------------------------------------------------------------------
