#!/usr/bin/env python
"""The table of the README: what each stage and each local reranker is worth, with intervals and times.

    python scripts/table.py [--cross-encoder FOLDER] DATASET...

A dataset is a folder in BEIR form, whole test set; the handbook is always among them. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate
from rag.evaluation.scoring import Evaluation, Options
from rag.protocols import silent
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "data" / "questions"


def main() -> None:
    options = _options()
    configs = _configs(options.out, options.cross_encoder)
    rows = [["nDCG@10 (95% interval), ms a search", *configs]]
    for folder in [*options.datasets, HANDBOOK]:
        data = Dataset.load(folder)
        arms = [_arm(name, config, data, options) for name, config in configs.items()]
        rows.append([data.name, *map(_cell, arms)])
        print(f"{data.name}: {len(arms[0].ranked)} questions", file=sys.stderr, flush=True)
    print(_markdown(rows))


def _arm(name: str, config: dict[str, Any], data: Dataset, options: argparse.Namespace) -> Evaluation:
    own: dict[str, Any] = {}
    if data.corpus is None:
        own = {"store": {"path": ".rag/handbook"}, "run": {"sources": [ROOT / "data" / "handbook"]}}
    folder = options.out / data.name / name.replace(" ", "-")
    measured = Options(sample=options.sample, answers=False, indexes=options.indexes)
    return evaluate(Settings(**{**config, **own}), name, data, folder, measured, silent)


def _configs(work: Path, cross_encoder: Path | None) -> dict[str, dict[str, Any]]:
    none = {"kind": "none"}
    found: dict[str, dict[str, Any]] = {
        "dense": {"retriever": {"kind": "dense"}, "reranker": none},
        "BM25": {"retriever": {"kind": "lexical"}, "reranker": none},
        "hybrid": {"reranker": none},
        "hybrid + late": {"reranker": {"calibration": _score_alone(work, "late-interaction", "")}},
    }
    if cross_encoder:
        model = str(cross_encoder)
        found["hybrid + cross-encoder"] = {"reranker": {"kind": "cross-encoder", "model": model}}
    return {**found, "default": {}}


def _score_alone(work: Path, kind: str, model: str) -> Path:
    """A calibration by which the raw score alone decides."""
    path = work / f"{kind}-alone.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"reranker": kind, "model": model, "weights": {"score": 1.0}, "fitted_on": "nothing: order alone"}
    path.write_text(yaml.safe_dump(entry))
    return path


def _cell(arm: Evaluation) -> str:
    found = arm.interval("after")
    return f"{found.mean:.3f} ({found.low:.3f}–{found.high:.3f}), {arm.latency()['total']['p50']:.0f}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="*", type=Path, help="folders in BEIR form")
    parser.add_argument("--cross-encoder", type=Path, metavar="FOLDER", help="a model to compare, too")
    parser.add_argument("--indexes", type=Path, default=Path("runs/indexes"))
    parser.add_argument("--out", type=Path, default=Path("runs/table"))
    parser.add_argument("--sample", type=int, help="so many questions a dataset, drawn with a fixed seed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
