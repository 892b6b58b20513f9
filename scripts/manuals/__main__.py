"""Manuals of other people as a measure. Documents from Debian's packages, questions from data/manuals.

python scripts/manuals lay-out    # fetch the sets (apt-get download), unpack them into the cache folder
python scripts/manuals check      # do the documents hold each fact where the questions say?
python scripts/manuals measure    # ask the working half's questions: a table; --show: what went wrong
python scripts/manuals measure --half held --data CLAPNQ   # the other half; a collection in BEIR form too
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Run as a folder, the folder itself stands there. What is measured is the rag beside it.
sys.path[:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

if TYPE_CHECKING:
    from manuals.manual_set import ManualSet

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rag-manuals"


def main() -> int:
    from manuals.sets import MEASURED, Unavailable, find_set

    options = _options()
    run = {"lay-out": _lay_out, "check": _check, "measure": _measure}[options.command]
    try:
        return run([find_set(name) for name in options.set] or MEASURED, options)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


def _lay_out(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    from manuals.sets import lay_out

    for manual in sets:
        folder, version = lay_out(manual, options.cache)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        files = f"{len(manual.files)} files, {size / 1e6:.1f} MB"
        print(f"{manual.name}: {files} of {manual.package} {version} ({manual.form}) in {folder}")
    return 0


def _check(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    from manuals.check import check_set

    problems = [problem for manual in sets for problem in check_set(manual, options.cache)]
    print("\n".join(problems) or f"{len(sets)} sets hold every fact at its anchor")
    return 1 if problems else 0


def _measure(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    from manuals.measure import measure

    return measure(sets, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/manuals", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--set",
        action="append",
        default=[],
        help="only this set (default: those that are measured); may be given again",
    )
    shared.add_argument("--cache", type=Path, default=CACHE, help="default: %(default)s")
    commands.add_parser("lay-out", parents=[shared], help="fetch and unpack")
    commands.add_parser("check", parents=[shared], help="compare questions and documents")
    command = commands.add_parser("measure", parents=[shared], help="ask, and count")
    command.add_argument("--half", choices=("work", "held"), default="work", help="held: once, at the end")
    command.add_argument("--config", type=Path, help="default: rag's defaults")
    command.add_argument("--data", type=Path, action="append", default=[], help="a folder in BEIR form")
    command.add_argument("--json", action="store_true")
    command.add_argument("--show", action="store_true", help="each failure of the working half")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
