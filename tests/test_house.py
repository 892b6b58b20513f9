"""docs/architecture.md tells the truth about the tree, and each of its words has one meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from support.places import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
RAG = ROOT / "rag"
# What a thing was once called, and what each is called now.
GONE = {
    "ledger": "the catalog, or the candidates of a trace",
    "LedgerRow": "CandidateTrace",
    "readers": "scorers, where they score passages; the reader is one model",
    "load_sentences": "load_bi_encoder",
    "load_pairs": "load_cross_encoder",
}
# Where a measured change is judged, or what came of it is told.
JUDGES = {"evaluation", "training", "cli"}


def picture() -> str:
    return PAGE.split("```")[1]


def named() -> set[str]:
    """In the columns on the left: `rerankers/` is a folder, `selection` a file."""
    named: set[str] = set()
    for line in picture().splitlines():
        if line.startswith("    "):
            rooms = line if line.lstrip().startswith("types,") else re.split(r"  +", line.strip())[0]
            named |= {room.strip() for room in rooms.split(",")}
        named |= set(re.findall(r"\w+(?=:| what each)", line)) & {"parts"}
        named |= set(re.findall(r"config_errors", line))
    return named


def there() -> set[str]:
    files = {file.stem for file in RAG.glob("*.py")} - {"__init__"}
    folders = {f"{folder.name}/" for folder in RAG.iterdir() if folder.is_dir()}
    return files | folders - {"__pycache__/"}


def test_the_picture_names_every_room_and_none_that_is_not_there() -> None:
    assert named() == there()


def test_the_picture_and_all_around_it_are_one_screen() -> None:
    assert len(PAGE.splitlines()) <= 70


def glossary() -> list[str]:
    return re.findall(r"^\| ([a-z]+) \|", PAGE.split("## Words")[1], re.MULTILINE)[1:]


def test_the_glossary_has_at_most_twenty_words_each_once() -> None:
    words = glossary()
    assert 10 <= len(words) <= 20
    assert len(set(words)) == len(words)


def texts() -> Iterator[tuple[Path, str]]:
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "configs").glob("*.yaml")]
    for file in [*files, *RAG.rglob("*.py"), *RAG.rglob("*.j2"), *(ROOT / "scripts").rglob("*.py")]:
        yield file, file.read_text("utf-8")


def test_no_word_has_its_former_meaning() -> None:
    gone = re.compile(rf"\b({'|'.join(GONE)})\b", re.IGNORECASE)
    used = {str(file.relative_to(ROOT)): set(gone.findall(text)) for file, text in texts()}
    assert not {file: words for file, words in used.items() if words}


def test_only_evaluation_and_training_give_a_verdict() -> None:
    found = [
        file
        for file, text in texts()
        if file.is_relative_to(RAG) and re.search("verdict", text, re.IGNORECASE)
    ]
    assert not [file for file in found if file.relative_to(RAG).parts[0] not in {*JUDGES, "templates"}]
