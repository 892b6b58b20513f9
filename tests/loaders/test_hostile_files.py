"""Files that are made to never end, or to eat the machine: each comes to an end, and most to a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from support.fakes import WordEmbedder
from support.hostile_files import FILES

from rag.chunkers.structure import StructureChunker, StructureSettings
from rag.loaders import LoaderSettings, is_quick
from rag.types import Skipped
from rag.worker.cutter import Cutter
from rag.worker.cutting import Cut, Kept, Task, cut_file

# Of processor time; a machine that is busy with other things takes no part of it.
BUDGET = {"seconds": 10, "memory_mb": 1000, "pages": 1000, "passages": 20_000, "characters": 5_000_000}
QUICK_SECONDS = 2.0
SMALL = 16_000
# What a library of others takes for ever over, or what is too large for any reader.
TOO_MUCH = {
    "md, line of '<!--'",
    "md, line of '1. '",
    "md, line of '- '",
    "xlsx, column XFD",
    "csv, a million columns",
    "rst, title of 100 KB",
    "txt, no space",
}
# Nothing in them could be read, however long one took.
NO_DOCUMENT = {
    "docx, 200 MB once unpacked": "too large once unpacked",
    "docx, deep tables": "nested too deeply",
    "docx, entities": "cannot be read as docx",
    "pptx, entities": "cannot be read as pptx",
    "pptx, deep groups": "cannot be read as pptx",
    "html, unclosed tags": "nested too deeply",
    "html, spans in spans": "nested too deeply",
    "pdf, a million pages": "1,000,000 pages, and loader.budget.pages is 1,000",
    "json, 50 MB in a line": "loader.budget.characters is 5,000,000",
    "json, nested deeply": "nested too deeply",
    "jsonl, 100,000 broken lines": "line 1: not valid JSON",
    "jsonl, 60,000 documents": "loader.budget.passages is 20,000",
}


@pytest.fixture(scope="module")
def chunker() -> StructureChunker:
    return StructureSettings(tokens=120).build(WordEmbedder())


@pytest.fixture(scope="module")
def cutter(chunker: StructureChunker) -> Iterator[Cutter]:
    made = Cutter(LoaderSettings.model_validate({"budget": BUDGET}), chunker)
    with made.at_work():
        yield made


def hostile(name: str) -> Task:
    file, make = FILES[name]
    return Task(Path(file), file, make())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_comes_to_an_end_and_to_words_or_a_reason(name: str, cutter: Cutter) -> None:
    items: list[Cut | Kept | Skipped] = list(cutter.cut(hostile(name)))
    reasons = [item.reason for item in items if isinstance(item, Skipped)]
    if name in NO_DOCUMENT:
        assert NO_DOCUMENT[name] in reasons[0]
    elif name in TOO_MUCH and reasons:
        assert "loader.budget.seconds" in reasons[0]
    else:
        assert any(isinstance(item, Cut) for item in items), reasons
    assert len(reasons) <= 21


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (file, _) in FILES.items() if is_quick(Path(file), 1)])
def test_what_is_read_in_this_process_takes_no_time_whatever_is_in_it(
    name: str, chunker: StructureChunker
) -> None:
    task = hostile(name)
    small = Task(task.path, task.source, task.data[:SMALL])
    assert is_quick(small.path, len(small.data))
    assert not is_quick(small.path, SMALL + 1)
    started = process_time()
    assert list(cut_file(small, LoaderSettings(), chunker))
    assert process_time() - started < QUICK_SECONDS


@pytest.mark.parametrize("name", ["pdf, a million pages", "docx, gridSpan of a million", "json, 60,000 keys"])
def test_hostile_files_are_no_trouble(name: str, cutter: Cutter) -> None:
    test_a_hostile_file_comes_to_an_end_and_to_words_or_a_reason(name, cutter)


def test_of_many_bad_records_the_first_are_told_and_the_others_counted(cutter: Cutter) -> None:
    broken = Task(Path("a.jsonl"), "a.jsonl", b"{broken\n" * 500)
    told = [item.reason for item in cutter.cut(broken) if isinstance(item, Skipped)]
    assert len(told) == 21
    assert told[-1] == "480 more of its records or fields are left out"
