"""Hostile trials: kills, faults, hostile input. Each is made by a seed, so that it can be repeated.

python scripts/hostile                          # short: under a minute
python scripts/hostile --long                   # for a night; --times 3: three times as many
python scripts/hostile --area kills --seed 7    # one area, other trials
python scripts/hostile --area kills --only 13   # one trial again
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Run as a folder, the folder itself stands there. What is tried is the rag beside it.
_ROOT = Path(__file__).parents[2]
sys.path[:1] = [str(_ROOT / "scripts"), str(_ROOT), str(_ROOT / "tests")]
# Threads do not come along into a fork, and no trial may ask the network for a model.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
os.environ["TOKENIZERS_PARALLELISM"] = "false"

if TYPE_CHECKING:
    from hostile.trial import Area, Outcome


def main() -> int:
    from hostile.areas import AREAS

    options = _options([area.name for area in AREAS])
    chosen = [area for area in AREAS if not options.area or area.name in options.area]
    outcomes = [outcome for area in chosen for outcome in _tried(area, options)]
    print(_table(chosen, outcomes))
    failed = [outcome for outcome in outcomes if outcome.problem]
    for outcome in failed:
        print(f"\n{outcome.area} --seed {options.seed} --only {outcome.number}: {outcome.what}")
        print(f"{outcome.problem}")
    return 1 if failed else 0


def _tried(area: Area, options: argparse.Namespace) -> list[Outcome]:
    from hostile.running import prepare, run_trials

    count = round((area.long if options.long else area.short) * options.times)
    numbers = range(count) if options.only is None else range(options.only, options.only + 1)
    done: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="rag-hostile-ready-") as folder:
        ready = Path(folder) / area.name
        prepare(area, ready)
        for outcome in run_trials(area, options.seed, numbers, ready, options.jobs):
            done.append(outcome)
            if options.verbose or outcome.problem:
                print(_line(outcome), file=sys.stderr, flush=True)
    return done


def _line(outcome: Outcome) -> str:
    held = "not held" if outcome.problem else "held"
    last = outcome.problem.strip().rpartition("\n")[2][:200]
    return f"{outcome.area} {outcome.number}: {held}, {outcome.seconds} s, {outcome.what}: {last}"


def _table(areas: Sequence[Area], outcomes: Sequence[Outcome]) -> str:
    rows = ["| area | what must hold | tried | held |", "|---|---|---|---|"]
    for area in areas:
        mine = [outcome for outcome in outcomes if outcome.area == area.name]
        held = sum(not outcome.problem for outcome in mine)
        rows.append(f"| {area.name} | {area.promise} | {len(mine):,} | {held:,} |")
    held = sum(not outcome.problem for outcome in outcomes)
    return "\n".join([*rows, f"| all | | {len(outcomes):,} | {held:,} |"])


def _options(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python scripts/hostile", description=__doc__.split("\n")[0])
    parser.add_argument("--area", action="append", choices=names, help="this one alone; may be repeated")
    parser.add_argument("--long", action="store_true", help="as many as a night has room for")
    parser.add_argument("--times", type=float, default=1.0, help="so many times as many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this trial alone")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    parser.add_argument("--verbose", action="store_true", help="tell of each trial as it ends")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
