#!/usr/bin/env python
"""What `rag train` gains on a collection's test questions, and what its model does to other collections.

    python scripts/training.py --work DIR --train FOLDER FOLDER:SPLIT...

Trains the default config on FOLDER's train split (--synthetic N: on drafted questions and no label), by the
recipe and the seed that `rag train` has by default, and keeps the model whatever its verdict. Then each
FOLDER:SPLIT is searched by the untrained default and by the trained model with its own calibration, over an
index of its own; nothing is chosen on these questions. Prints a Markdown table and writes training.json.
Stopped at any moment it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rag import Settings
from rag.cli.progress import showing_progress
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import open_for
from rag.evaluation.naming import naming
from rag.protocols import Progress
from rag.training.options import Options
from rag.training.recipe import Recipe
from rag.training.trained import trained_json
from rag.training.reencode import reencoded
from rag.training.train import CALIBRATION, Training
from rag.training.trainee import trainee_of, with_model
from rag.training.judgement import METRIC, Judgement, judged, ranked


def main() -> None:
    options = _options()
    with showing_progress(quiet=False) as progress:
        made = trained(options, progress)
        print(json.dumps(made["verdict"]), flush=True)
        rows = {}
        for name in options.judge:
            rows[name] = judgement(name, options, progress)
            print(_row(name, rows[name]), flush=True)
    print(_HEAD, *(_row(name, row) for name, row in rows.items()), sep="\n")
    (options.work / "training.json").write_text(
        json.dumps({"trained": made, "judged": rows}, indent=1) + "\n"
    )


def trained(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The record of the training; made once."""
    out: Path = options.work / "model"
    if not (out / "training.json").exists():
        folder, _, split = options.train.partition(":")
        dataset = Dataset.load(Path(folder), split or "train")
        if options.synthetic:
            dataset = replace(dataset, questions=())
        given = Options(
            out, synthetic=options.synthetic, minutes=options.minutes, force=True, indexes=options.indexes
        )
        recipe = replace(Recipe(), seed=options.seed)
        training = Training(Settings(), "configs/default.yaml", dataset, recipe, given, progress)
        started = time.perf_counter()
        made = trained_json(training.run(lambda plan: print(plan, file=sys.stderr, flush=True)))
        made["minutes"] = round((time.perf_counter() - started) / 60, 1)
        (options.work / "trained.json").write_text(json.dumps(made))
    found: dict[str, Any] = json.loads((options.work / "trained.json").read_text())
    return found


def judgement(name: str, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Of one collection's questions: as installed, and with the untrained default's calibration."""
    folder, _, split = name.partition(":")
    dataset = Dataset.load(Path(folder), split or "test")
    questions = dataset.labelled
    rag = open_for(Settings(), dataset, options.indexes, progress)
    named = naming((source for source, _ in rag.assembly.index.catalog.sources()), dataset.judged)
    before = ranked(rag, questions, named, progress)
    out: Path = options.work / "model"
    settings = with_model(rag.settings, trainee_of(rag.settings), out, out / CALIBRATION)
    other = reencoded(rag, settings, options.work / "indexes" / dataset.name, progress)
    after = ranked(other, questions, named, progress)
    same = ranked(other, questions, named, progress, rag.pipeline.calibration)
    return {
        "questions": len(questions),
        **_told(judged(before, after, options.seed)),
        "same calibration": _told(judged(before, same, options.seed)),
    }


def _told(found: Judgement) -> dict[str, Any]:
    return {
        "metric": METRIC,
        "before": found.before,
        "after": found.after,
        "gain": asdict(found.gain),
        "first_stage": asdict(found.first_stage),
    }


_HEAD = """\
| nDCG@10 | questions | untrained | trained | gain | 95% interval | first stage alone | same calibration |
|---|---|---|---|---|---|---|---|"""


def _row(name: str, row: dict[str, Any]) -> str:
    gain, same = row["gain"], row["same calibration"]["gain"]
    return (
        f"| {Path(name.partition(':')[0]).name} | {row['questions']} "
        f"| {row['before']:.4f} | {row['after']:.4f} "
        f"| {gain['mean']:+.4f} | {gain['low']:+.4f} to {gain['high']:+.4f} "
        f"| {row['first_stage']['mean']:+.4f} | {same['mean']:+.4f} |"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("judge", nargs="*", metavar="FOLDER:SPLIT", help="collections in BEIR form")
    parser.add_argument("--train", required=True, metavar="FOLDER:SPLIT", help="what is learned from")
    parser.add_argument("--synthetic", type=int, default=0, metavar="N", help="drafted questions, no label")
    parser.add_argument("--minutes", type=float, help="the most that the training itself may take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/training"), help="model and its indexes")
    parser.add_argument("--indexes", type=Path, default=Path("runs/indexes"), help="untrained indexes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
