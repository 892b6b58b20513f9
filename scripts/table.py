#!/usr/bin/env python
"""What each stage is worth, and whether the relevance can be trusted: tables and pictures of README and docs.

    python scripts/table.py [--stages | --floats] [--cross-encoder FOLDER] DATASET...
    python scripts/table.py --relevance DATASET...

A dataset is a folder in BEIR form, whole test set; the handbook is always among them. Prints Markdown:
nDCG@10 with its interval, and the median milliseconds of a search.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
MODES = {"dense": "dense", "BM25": "lexical", "hybrid": "hybrid"}

Config = Mapping[str, Any]
Measure = Callable[[str, Config, Dataset], Evaluation]


def main() -> None:
    options = _options()
    datasets = [Dataset.load(folder) for folder in [*options.datasets, HANDBOOK]]

    def measure(name: str, config: Config, data: Dataset) -> Evaluation:
        print(f"{data.name}: {name}", file=sys.stderr, flush=True)
        own = {} if data.corpus else _of_the_handbook()
        folder = options.out / data.name / name.replace(" ", "-")
        measured = Options(sample=options.sample, answers=False, indexes=options.indexes)
        return evaluate(Settings(**{**config, **own}), name, data, folder, measured, silent)

    make = _relevance if options.relevance else _worth
    rows = make(datasets, measure, options)
    print(f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", sep="\n")
    print(*(f"| {' | '.join(row)} |" for row in rows[1:]), sep="\n")


# --- what each stage is worth --------------------------------------------------------------


def _worth(datasets: Sequence[Dataset], measure: Measure, options: argparse.Namespace) -> list[Sequence[str]]:
    configs = _configs(options)
    arms = [[measure(name, config, data) for name, config in configs.items()] for data in datasets]
    rows = [[data.name, *map(_cell, row)] for data, row in zip(datasets, arms, strict=True)]
    columns = [[one.means("after")[one.metric] for one in column] for column in zip(*arms, strict=True)]
    means = [f"{statistics.mean(column):.4f}" for column in columns]
    return [["nDCG@10 (95% interval), ms", *configs], *rows, ["mean", *means]]


def _cell(arm: Evaluation) -> str:
    found = arm.interval("after")
    return f"{found.mean:.3f} ({found.low:.3f}–{found.high:.3f}), {arm.latency()['total'].p50:.0f}"


def _configs(options: argparse.Namespace) -> dict[str, Config]:
    none, late = {"kind": "none"}, {"calibration": _calibration(options.out, "late", {"score": 1.0})}
    if options.floats:
        exact = {"precision": "float"}
        return {
            "late, 1 bit": {"reranker": late},
            "late, float": {"reranker": late | exact},
            "default, 1 bit": {},
            "default, float": {"reranker": exact},
        }
    first = {name: {"retriever": {"kind": kind}} for name, kind in MODES.items()}
    found: dict[str, Config] = {name: stage | {"reranker": none} for name, stage in first.items()}
    if options.stages:
        for name, stage in first.items():
            found |= {f"{name} + late": stage | {"reranker": late}, f"{name} + late + evidence": stage}
        found["hybrid + evidence alone"] = {"reranker": {"calibration": _evidence(options.out)}}
        return found
    found["hybrid + late"] = {"reranker": late}
    if options.cross_encoder:
        model = str(options.cross_encoder)
        found["hybrid + cross-encoder"] = {"reranker": {"kind": "cross-encoder", "model": model}}
    return {**found, "default": {}}


def _evidence(work: Path) -> Path:
    """What the first stage knows, and nothing of the reranker's score."""
    (none,) = [one for one in read_calibrations(SHIPPED) if one.reranker == "none"]
    return _calibration(work, "evidence", none.weights)


def _calibration(work: Path, name: str, weights: Mapping[str, float]) -> Path:
    path = work / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"reranker": "late-interaction", "weights": dict(weights), "fitted_on": "nothing: order alone"}
    path.write_text(yaml.safe_dump(entry))
    return path


# --- can the relevance be trusted? ---------------------------------------------------------


def _relevance(
    datasets: Sequence[Dataset], measure: Measure, options: argparse.Namespace
) -> list[Sequence[str]]:
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="*", type=Path, help="folders in BEIR form")
    parser.add_argument("--stages", action="store_true", help="each first stage, and what reranks it")
    parser.add_argument("--floats", action="store_true", help="bits against floats, all encoded anew")
    parser.add_argument("--relevance", action="store_true", help="of the default, with its pictures")
    parser.add_argument("--cross-encoder", type=Path, metavar="FOLDER", help="a model to compare, too")
    parser.add_argument("--indexes", type=Path, default=Path("runs/indexes"))
    parser.add_argument("--out", type=Path, default=Path("runs/table"))
    parser.add_argument("--sample", type=int, help="so many questions a dataset, drawn with a fixed seed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
