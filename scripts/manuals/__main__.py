"""Manuals of other people as a measure. Documents from Debian's packages, questions from data/manuals.

python scripts/manuals lay-out    # fetch the sets (apt-get download) and unpack them into the cache folder
python scripts/manuals check      # do the documents hold each fact where the questions say?
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).parent.parent)  # run as a folder, the folder itself stands there

if TYPE_CHECKING:
    from manuals.sets import ManualSet

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rag-manuals"


def main() -> int:
    from manuals.sets import SETS, Unavailable, find_set

    options = _options()
    run = {"lay-out": _lay_out, "check": _check}[options.command]
    try:
        return run([find_set(name) for name in options.set] or SETS, options)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


def _lay_out(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    from manuals.sets import lay_out

    for manual in sets:
        folder, version = lay_out(manual, options.cache)
        size = sum(path.stat().st_size for path in folder.iterdir())
        files = f"{len(manual.files)} files, {size / 1e6:.1f} MB"
        print(f"{manual.name}: {files} of {manual.package} {version} ({manual.form}) in {folder}")
    return 0


def _check(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    from manuals.check import check_set

    problems = [problem for manual in sets for problem in check_set(manual, options.cache)]
    print("\n".join(problems) or f"{len(sets)} sets hold every fact at its anchor")
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/manuals", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in (
        ("lay-out", "fetch and unpack"),
        ("check", "compare the questions with the documents"),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument("--set", action="append", default=[], help="only this set; may be given again")
        command.add_argument(
            "--cache", type=Path, default=CACHE, help="outside of the repository: %(default)s"
        )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
