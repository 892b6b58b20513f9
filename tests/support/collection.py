"""Users with words of their own for what documents say; and a model that knows nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

# What users say, and what the documents say for it.
WORDS = {
    "zorbel": "lamp",
    "quixan": "kettle",
    "mivrot": "ladder",
    "palunk": "mirror",
    "trevik": "engine",
    "doshun": "window",
    "garlep": "carpet",
    "wexorn": "bottle",
    "flimsa": "pillow",
    "brontu": "hammer",
}


def write_collection(folder: Path, questions: int = 60, seed: int = 0) -> Path:
    """A document a pair of things; a question asks for one pair in the users' words."""
    names = sorted(WORDS)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    (folder / "qrels").mkdir(parents=True)
    with (folder / "corpus.jsonl").open("w") as lines:
        for number, (a, b) in enumerate(pairs):
            text = f"The {WORDS[a]} and the {WORDS[b]} are kept on shelf {number} of the house."
            lines.write(json.dumps({"_id": f"d{number}", "title": f"Shelf {number}", "text": text}) + "\n")
    order = random.Random(seed).sample(range(len(pairs)), len(pairs))
    asked = [order[i % len(pairs)] for i in range(questions)]
    forms = ("Where is the {} beside the {}?", "Who has the {} and the {}?")
    with (folder / "queries.jsonl").open("w") as lines, (folder / "qrels" / "train.tsv").open("w") as judged:
        judged.write("query-id\tcorpus-id\tscore\n")
        for number, place in enumerate(asked):
            form = forms[number // len(pairs) % len(forms)]
            text = form.format(*pairs[place])
            lines.write(json.dumps({"_id": f"q{number}", "text": text}) + "\n")
            judged.write(f"q{number}\td{place}\t1\n")
    return folder


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with it in `shelves`. Indexes of it come beside."""
    folder = tmp_path_factory.mktemp("training")
    write_collection(folder / "shelves", questions=80)
    return folder


@pytest.fixture(scope="session")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support import tiny  # brings torch, which few tests need

    return tiny.bi_encoder(tmp_path_factory.mktemp("tiny"))
