"""`rag watch`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Run
from support.places import ROOT
from watchfiles import Change

from rag.cli.watching import Watched

_SECONDS = 60.0


def test_the_index_and_hidden_files_are_not_watched(tmp_path: Path) -> None:
    watched = Watched.of([tmp_path], tmp_path / "store")
    seen = ["a.md", "sub/b.md", ".git/x", "sub/.b.md.swp", "store/catalog.sqlite"]
    assert [watched(Change.added, str(tmp_path / name)) for name in seen] == [True, True, False, False, False]


def test_a_hidden_folder_above_does_not_hide_what_was_named(tmp_path: Path) -> None:
    folder = tmp_path / ".notes"
    assert Watched.of([folder], tmp_path / ".rag")(Change.added, str(folder / "a.md"))


def test_what_is_not_there_cannot_be_watched(run: Run, notes: Path) -> None:
    done = run("watch", "nowhere")
    assert (done.code, done.err) == (1, "InputError: nowhere: there is no such file or folder\n")


@pytest.fixture
def watching(notes: Path) -> Iterator[Callable[[str], None]]:
    """A real process that watches; the call waits until it has said something."""
    log = notes.parent / "log.txt"
    program = [
        sys.executable,
        "-c",
        "from rag.cli.app import program; program()",
        "watch",
        "notes",
        "--prune",
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(program, stdout=out, stderr=out, cwd=notes.parent, env=env)

    def until(said: str) -> None:
        end = time.monotonic() + _SECONDS
        while said not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        log.write_text("")

    yield until
    process.send_signal(signal.SIGINT)
    assert process.wait(_SECONDS) == 0


@pytest.mark.slow  # it waits for a file system
def test_changes_are_followed_and_what_cannot_be_read_stops_nothing(
    run: Run, notes: Path, watching: Callable[[str], None]
) -> None:
    watching("watching notes")
    (notes / "bad.pdf").write_bytes(b"%PDF-1.4 no more of it")
    watching("skipped notes/bad.pdf")
    (notes / "ladder.md").write_text("The ladder is behind the door.")
    watching("1 new, 0 changed, 0 removed")
    (notes / "ladder.md").write_text("The ladder is in the shed.")
    watching("0 new, 1 changed, 0 removed")
    (notes / "soup.md").unlink()
    watching("0 new, 0 changed, 1 removed")
    assert "shed" in run("ask", "Where is the ladder?", "--threshold", "0").out
