#!/usr/bin/env python
"""What each stage is worth, and whether the relevance can be trusted: tables and pictures of README and docs.

    python scripts/table.py [--stages | --floats] [--cross-encoder FOLDER] DATASET...
    python scripts/table.py --relevance DATASET...

A dataset is a folder in BEIR form, whole test set; the handbook is always among them. Prints Markdown:
nDCG@10 with its interval, and the median milliseconds of a search.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate
from rag.evaluation.pages.one import evaluation_page
from rag.evaluation.scoring import Evaluation, Options
from rag.evaluation.separation import false_answers_at
from rag.evaluation.summary import summarise
from rag.protocols import silent
from rag.second_stage.fitted import SHIPPED, read_calibrations
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "data" / "questions"
FIGURES = ROOT / "docs" / "figures"
PICTURES = ("reliability", "answer-rates")
RATES = (0.95, 0.9, 0.8)
Config = dict[str, Any]
Configs = dict[str, Config]
Measure = Callable[[str, Config, Dataset], Evaluation]

NONE: Config = {"kind": "none"}
FIRST: Configs = {
    "dense": {"retriever": {"kind": "dense"}},
    "BM25": {"retriever": {"kind": "lexical"}},
    "hybrid": {"retriever": {"kind": "hybrid"}},
}


def main(
    datasets: Annotated[list[Path] | None, typer.Argument(help="Folders in BEIR form.")] = None,
    stages: Annotated[bool, typer.Option(help="Each first stage, and what reranks it.")] = False,
    floats: Annotated[bool, typer.Option(help="Bits against floats, all encoded anew.")] = False,
    relevance: Annotated[bool, typer.Option(help="Of the default, with its pictures.")] = False,
    cross_encoder: Annotated[Path | None, typer.Option(help="A model to compare, too.")] = None,
    sample: Annotated[int | None, typer.Option(help="So many questions of each.")] = None,
    indexes: Path = Path("runs/indexes"),
    out: Path = Path("runs/table"),
) -> None:
    data = [Dataset.load(folder) for folder in [*(datasets or []), HANDBOOK]]

    def measure(name: str, config: Config, data: Dataset) -> Evaluation:
        print(f"{data.name}: {name}", file=sys.stderr, flush=True)
        own = {} if data.corpus else _of_the_handbook()
        folder = out / data.name / name.replace(" ", "-")
        measured = Options(sample=sample, answers=False, indexes=indexes)
        return evaluate(Settings(**{**config, **own}), name, data, folder, measured, silent)

    if relevance:
        rows = _measure_relevance(data, measure)
    elif floats:
        rows = _measure_ranking(data, measure, _floats(out))
    else:
        rows = _measure_ranking(data, measure, _stages(out) if stages else _default(out, cross_encoder))
    print(f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", sep="\n")
    print(*(f"| {' | '.join(row)} |" for row in rows[1:]), sep="\n")


# --- what each stage is worth --------------------------------------------------------------


def _measure_ranking(datasets: Sequence[Dataset], measure: Measure, configs: Configs) -> list[Sequence[str]]:
    arms = [[measure(name, config, data) for name, config in configs.items()] for data in datasets]
    rows = [[data.name, *map(_cell, row)] for data, row in zip(datasets, arms, strict=True)]
    columns = [[one.means("after")[one.metric] for one in column] for column in zip(*arms, strict=True)]
    means = [f"{statistics.mean(column):.4f}" for column in columns]
    return [["nDCG@10 (95% interval), ms", *configs], *rows, ["mean", *means]]


def _cell(arm: Evaluation) -> str:
    found = arm.interval("after")
    return f"{found.mean:.3f} ({found.low:.3f}–{found.high:.3f}), {arm.latency()['total'].p50:.0f}"


def _default(work: Path, cross_encoder: Path | None) -> Configs:
    found = {name: stage | {"reranker": NONE} for name, stage in FIRST.items()}
    found["hybrid + late"] = {"reranker": _late(work)}
    if cross_encoder:
        model = {"kind": "cross-encoder", "model": str(cross_encoder)}
        found["hybrid + cross-encoder"] = {"reranker": model}
    return {**found, "default": {}}


def _stages(work: Path) -> Configs:
    found = {name: stage | {"reranker": NONE} for name, stage in FIRST.items()}
    for name, stage in FIRST.items():
        found[f"{name} + late"] = stage | {"reranker": _late(work)}
        found[f"{name} + late + evidence"] = stage
    # What the first stage knows, and nothing of the reranker's score.
    (none,) = [one for one in read_calibrations(SHIPPED) if one.reranker == "none"]
    found["hybrid + evidence alone"] = {"reranker": _weighing(work, "evidence", none.weights)}
    return found


def _floats(work: Path) -> Configs:
    floats = {"precision": "float"}
    return {
        "late, 1 bit": {"reranker": _late(work)},
        "late, float": {"reranker": _late(work) | floats},
        "default, 1 bit": {},
        "default, float": {"reranker": floats},
    }


def _late(work: Path) -> Config:
    return _weighing(work, "late", {"score": 1.0})


def _weighing(work: Path, name: str, weights: Mapping[str, float]) -> Config:
    """The default reranker under a calibration of these weights."""
    path = work / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"reranker": "late-interaction", "weights": dict(weights), "fitted_on": "nothing: order alone"}
    path.write_text(yaml.safe_dump(entry))
    return {"calibration": path}


# --- can the relevance be trusted? ---------------------------------------------------------


def _measure_relevance(datasets: Sequence[Dataset], measure: Measure) -> list[Sequence[str]]:
    FIGURES.mkdir(exist_ok=True)
    rates = [f"false answers at {rate:.0%} answered" for rate in RATES]
    rows = [_trust(measure("default", {}, data)) for data in datasets]
    return [["", "calibration error", "separation", *rates], *rows]


def _trust(found: Evaluation) -> Sequence[str]:
    name = found.dataset.name if found.dataset.corpus else "handbook"
    for section in evaluation_page(found).sections:
        if section.picture and section.picture.name in PICTURES:
            (FIGURES / f"{name}-{section.picture.name}.svg").write_text(section.picture.svg, "utf-8")
    relevance = summarise(found).relevance
    if relevance.separation is None:
        return [name, f"{relevance.calibration_error:.3f}", "–", *("–" for _ in RATES)]
    rates = [f"{false_answers_at(found.judged(), rate):.0%}" for rate in RATES]
    return [name, f"{relevance.calibration_error:.3f}", f"{relevance.separation:.3f}", *rates]


def _of_the_handbook() -> dict[str, Any]:
    return {"store": {"path": ".rag/handbook"}, "run": {"sources": [ROOT / "data" / "handbook"]}}


if __name__ == "__main__":
    typer.run(main)
