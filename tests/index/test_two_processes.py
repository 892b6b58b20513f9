"""One writer at a time, and readers that always see whole documents: over processes and threads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.neighbour import write_versions
from support.places import ROOT, SUPPORT, TESTS
from support.shelf import Opened, Shelf

from rag.errors import LockedError
from rag.filters import Where
from rag.retrievers.own_index import IndexRetriever, Mode
from rag.types import Question

SIDES: tuple[Mode, ...] = ("dense", "lexical")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    write_versions(shelf, 0)
    shelf.ingest()
    return shelf


@contextmanager
def neighbour(shelf: Shelf, command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(SUPPORT / "neighbour.py"), str(shelf.root), command],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def let_neighbour(shelf: Shelf, command: str) -> None:
    with neighbour(shelf, command) as process:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


@contextmanager
def holding(shelf: Shelf) -> Iterator[subprocess.Popen[str]]:
    with neighbour(shelf, "hold") as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        yield process


def dense_ids(opened: Opened) -> set[str]:
    """Everything that dense search can find."""
    return {candidate.chunk.id for candidate in opened.retrieve("dome lens", "dense", 5000)}


def catalog_ids(opened: Opened) -> set[str]:
    return {chunk.id for chunks in opened.index.catalog.all_chunks(1000) for chunk in chunks}


# --- writers --------------------------------------------------------------------------------------


def test_a_second_writer_is_told_within_seconds_which_process_holds_the_index(shelf: Shelf) -> None:
    with holding(shelf) as process:
        opened = shelf.open()
        for attempt in (opened.ingest, opened.rebuild):
            started = time.monotonic()
            with pytest.raises(LockedError, match=f"pid {process.pid}.* is writing"):
                attempt()
            assert time.monotonic() - started < 2.5
        assert len(opened.texts("dome", "dense")) == 10
    assert len(catalog_ids(shelf.open())) == 10


def test_a_second_writer_in_the_same_process_is_refused_too(shelf: Shelf) -> None:
    with shelf.open().index.writing(), pytest.raises(LockedError, match=f"pid {os.getpid()}"):
        shelf.ingest()


def test_a_killed_writer_leaves_the_index_free_at_once(shelf: Shelf) -> None:
    with holding(shelf) as process:
        process.kill()
        process.wait()
        started = time.monotonic()
        assert shelf.ingest().unchanged == 2
        assert time.monotonic() - started < 2


@pytest.mark.slow  # processes in turn
def test_processes_that_write_in_turn_lose_nothing_of_each_other(shelf: Shelf) -> None:
    """More passages than Chroma keeps in memory before it writes its graph to the disk."""
    opened = shelf.open()
    assert len(dense_ids(opened)) == 10
    text = "\n\n".join(f"Number {number} of the log of the dome and the lens." for number in range(1100))
    shelf.write("docs/long.txt", text)
    let_neighbour(shelf, "ingest")
    shelf.write("docs/short.txt", "A short note on the dome.")
    opened.ingest()
    (shelf.root / "docs/a.txt").unlink()
    let_neighbour(shelf, "ingest")
    shelf.write("docs/last.txt", "The last note on the lens.")
    opened.ingest()
    for reader in (opened, shelf.open()):
        assert len(catalog_ids(reader)) == 1107
        assert dense_ids(reader) == catalog_ids(reader)
        assert reader.texts("The last note on the lens.", "dense", 1) == ["The last note on the lens."]
        assert reader.texts("A short note on the dome.", "dense", 1) == ["A short note on the dome."]
    opened.check()


# --- readers --------------------------------------------------------------------------------------


def test_an_open_index_shows_what_another_process_ingests_removes_and_rebuilds(shelf: Shelf) -> None:
    reader = shelf.open()
    for mode in SIDES:
        assert len(reader.texts("dome", mode)) == 10
    shelf.write("docs/new.txt", "A new note on the dome.")
    let_neighbour(shelf, "ingest")
    for mode in SIDES:
        assert "A new note on the dome." in reader.texts("new note dome", mode)
    let_neighbour(shelf, "rebuild")
    assert reader.index.current().number == 2
    for mode in SIDES:
        assert len(reader.texts("dome", mode)) == 11
    (shelf.root / "docs/new.txt").unlink()
    let_neighbour(shelf, "ingest")
    for mode in SIDES:
        assert len(reader.texts("dome", mode)) == 10


def test_while_another_process_replaces_documents_a_reader_sees_them_whole_and_never_waits_for_all_of_it(
    shelf: Shelf,
) -> None:
    reader = shelf.open()
    versions, times = set(), []
    with neighbour(shelf, "churn") as process:
        while process.poll() is None:
            for name in ("a", "b"):
                started = time.monotonic()
                versions.add(whole_version(reader, name))
                times.append(time.monotonic() - started)
        assert process.stderr
        assert process.returncode == 0, process.stderr.read()
    assert len(versions) > 3
    assert max(times) < 20  # who waits for a turn of the writer waits for 60
    assert whole_version(reader, "a") == whole_version(reader, "b") == 9


@pytest.mark.slow
def test_processes_may_open_the_index_while_chroma_writes_its_files(shelf: Shelf) -> None:
    """Unprotected, Chroma crashes a process that reads the files of its graph while another writes them."""
    log = (f"Number {number} of the log of the dome and the lens." for number in range(3000))
    shelf.write("docs/log.jsonl", "\n".join(json.dumps({"text": text}) for text in log))
    with neighbour(shelf, "open often") as one, neighbour(shelf, "open often") as another:
        shelf.ingest()
        for process in (one, another):
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors


def whole_version(reader: Opened, name: str) -> int:
    """The version of the document that a filtered search finds; fails if it is not all of one."""
    question = Question("dome lens motor", reader.embedder.embed_question("dome lens motor"))
    where = Where.of({"source": f"docs/{name}.txt"})
    found = IndexRetriever(reader.index, "hybrid", 50, rrf_k=60).retrieve(question, where)
    parts = sorted(re.findall(r"\d+", candidate.chunk.text) for candidate in found)
    (version,) = {version for version, _, _ in parts}
    assert sorted(int(part) for _, part, _ in parts) == [*range(int(parts[0][2]))]
    return int(version)


def test_sixteen_threads_search_while_their_own_process_ingests_and_rebuilds(shelf: Shelf) -> None:
    opened = shelf.open()
    done = False

    def search(thread: int) -> int:
        searches = 0
        while not done:
            whole_version(opened, "ab"[thread % 2])
            searches += 1
        return searches

    with ThreadPoolExecutor(16) as pool:
        searching = [pool.submit(search, thread) for thread in range(16)]
        try:
            for version in range(1, 7):
                write_versions(shelf, version)
                opened.ingest()
                if version % 3 == 0:
                    opened.rebuild()
        finally:
            done = True
        assert all(future.result() for future in searching)
    assert whole_version(opened, "a") == 6
