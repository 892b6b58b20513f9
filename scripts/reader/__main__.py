"""How the reader that comes with rag was made, and what it is worth.

python scripts/reader pairs --data DATA --work WORK       # questions with passages, of DATA and of manuals
python scripts/reader train --work WORK --out FOLDER --minutes 80   # resumes after a kill
python scripts/reader further --work WORK --out FOLDER --minutes 56   # from questions about manuals, too
python scripts/reader fit --work WORK --data DATA --reader FOLDER   # its scale, and figures; --write keeps it
python scripts/reader behaviour --reader FOLDER           # near misses, one by one

DATA holds train/ and eval/ in BEIR form; manuals come from Debian's packages (apt-get, dpkg-deb, mandoc).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.answers.reader import Reader

# Run as a folder, the folder itself stands there. What is trained is the rag beside it.
sys.path[:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

CACHE = Path.home() / ".cache" / "rag-manuals"


def main() -> None:
    options = _options()
    if options.command == "pairs":
        from reader.pairs import write_groups

        write_groups(options.data, options.work)
    elif options.command == "train":
        from reader.train import train

        train(options.work, options.out, options.minutes)
    elif options.command == "further":
        from reader.further import learn_further

        learn_further(options.work, options.cache, options.reader, options.out, options.minutes)
    elif options.command == "fit":
        from reader.fit import fit_and_judge

        fit_and_judge(options)
    else:
        from reader.behaviour import CASES, table, with_reader

        print(f"{table(CASES)}\n\n{with_reader(CASES, _reader(options.reader))}")


def _reader(folder: Path | None) -> Reader:
    from rag.answers.reader import BundledReaderSettings

    return BundledReaderSettings(kind="bundled", model=folder).build()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("pairs", "train", "further", "fit", "behaviour"))
    parser.add_argument("--data", type=Path, help="folder with train/ and eval/ in BEIR form")
    parser.add_argument("--work", type=Path, default=Path("runs/reader"), help="what is kept between steps")
    parser.add_argument("--cache", type=Path, default=CACHE, help="of the manuals that questions are about")
    parser.add_argument("--out", type=Path, default=Path("runs/reader/model"), help="the trained reader")
    parser.add_argument("--minutes", type=float, default=80.0, help="that the training may take")
    parser.add_argument("--reader", type=Path, help="a reader's folder; without it the bundled one")
    parser.add_argument("--write", action="store_true", help="write scale.json into the reader's folder")
    parser.add_argument("--judge", action="store_true", help="CLAPNQ and the handbook too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
