"""Where nothing was ingested yet: that is no answer to a question, and asking makes no index."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Run

from rag import Rag
from rag.errors import StoreError

COMMANDS = [
    ["ask", "Where is the fuse?"],
    ["search", "fuse"],
    ["why", "Where is the fuse?", "fuses.md"],
    ["status"],
    ["status", "--sources"],
    ["remove", "fuses.md"],
    ["remove", "--all", "--dry-run"],
    ["rebuild"],
    ["backup", "index.zip"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_folder_without_an_index_is_said_to_have_none_and_stays_empty(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err == "StoreError: there is no index in .rag: `rag ingest FOLDER` makes one\n"
    assert list(tmp_path.iterdir()) == []
    assert run(*arguments, "--json").json["error"]["type"] == "StoreError"


def test_ingesting_what_is_not_there_makes_no_index(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("ingest", "nowhere")
    assert (done.code, done.err) == (1, "InputError: There is no file or folder 'nowhere'.\n")
    assert list(tmp_path.iterdir()) == []


def test_from_python_opening_what_is_not_there_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="there is no index"):
        Rag.open()
    assert list(tmp_path.iterdir()) == []


def test_an_index_further_up_is_named(run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("ingest", "notes")
    monkeypatch.chdir(notes)
    above = notes.parent / ".rag"
    assert f"there is no index in .rag, but one in {above}" in run("status").err
    monkeypatch.setenv("RAG_STORE__PATH", str(above))
    assert run("status").code == 0


def test_an_index_that_lost_its_catalog_is_not_taken_for_none(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    for file in notes.parent.glob(".rag/catalog.sqlite*"):
        file.unlink()
    assert "the catalog of the index in .rag is gone: `rag restore FILE`" in run("ask", "Where?").err
