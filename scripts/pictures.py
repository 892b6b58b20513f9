#!/usr/bin/env python
"""The pictures of the README and docs: can the default relevance be trusted, and does it refuse?

    python scripts/pictures.py [DATASET...]

A dataset is a folder in BEIR form that the shipped calibration was not fitted on, whole test set; the
handbook is always among them. Writes docs/figures/<dataset>-<picture>.svg and prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate
from rag.evaluation.pages.one import evaluation_page
from rag.evaluation.scoring import Evaluation, Options
from rag.evaluation.separation import curve
from rag.evaluation.summary import summary_json
from rag.protocols import silent
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
SHOWN = ("reliability", "answer-rates")
RATES = (0.95, 0.9, 0.8)


def main() -> None:
    options = _options()
    FIGURES.mkdir(exist_ok=True)
    head = [
        "",
        "calibration error",
        "separation",
        *(f"false answers at {rate:.0%} answered" for rate in RATES),
    ]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for folder in [*options.datasets, ROOT / "data" / "questions"]:
        data = Dataset.load(folder)
        config = "default" if data.corpus else "handbook"
        settings = Settings.load(ROOT / "configs" / f"{config}.yaml")
        measured = Options(answers=False, indexes=options.indexes)
        found = evaluate(settings, config, data, options.out / data.name, measured, silent)
        _save(found)
        print(f"| {' | '.join(_row(found))} |", flush=True)


def _save(found: Evaluation) -> None:
    for section in evaluation_page(found).sections:
        if section.picture and section.picture.name in SHOWN:
            name = f"{_name(found)}-{section.picture.name}.svg"
            (FIGURES / name).write_text(section.picture.svg, "utf-8")


def _row(found: Evaluation) -> Sequence[str]:
    relevance, points = summary_json(found)["relevance"], curve(found.judged())
    row = [_name(found), f"{relevance['calibration_error']:.3f}"]
    if relevance["separation"] is None:
        return [*row, "–", *("–" for _ in RATES)]
    rates = [min(false for _, answered, false in points if answered >= rate) for rate in RATES]
    return [*row, f"{relevance['separation']:.3f}", *(f"{rate:.0%}" for rate in rates)]


def _name(found: Evaluation) -> str:
    return found.dataset.name if found.dataset.corpus else "handbook"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="*", type=Path, help="folders in BEIR form")
    parser.add_argument("--indexes", type=Path, default=Path("runs/indexes"))
    parser.add_argument("--out", type=Path, default=Path("runs/pictures"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
