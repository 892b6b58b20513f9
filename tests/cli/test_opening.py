"""`rag open`: the last answer's sources, by the program that opens an address."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.commands import Run

from rag.cli.remembered import remember


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the opener was given, a line each."""
    program, given = tmp_path / "opener", tmp_path / "opened.txt"
    program.write_text(f'#!/bin/sh\nfor one in "$@"; do echo "$one" >> {given}; done\n')
    program.chmod(0o755)
    monkeypatch.setenv("RAG_OPENER", str(program))
    return given


def state() -> Path:
    return Path(os.environ["XDG_STATE_HOME"]) / "rag" / "last.json"


def test_a_source_of_the_last_answer_is_opened_at_its_place(run: Run, notes: Path, opened: Path) -> None:
    (notes / "fuses.md").write_text("# Spare ones\n\nThe spare fuse is in the red drawer.\n")
    run("ingest", "notes")
    assert run("ask", "Where is the spare fuse?").code == 0
    assert run("open").code == 0
    assert opened.read_text() == f"{(notes / 'fuses.md').as_uri()}#spare-ones\n"
    assert "drawer" not in state().read_text(), "addresses alone are kept"
    told = run("open", "7")
    assert (told.code, told.err) == (1, "InputError: the last answer had no source 7: it had 1\n")


def test_a_passage_of_the_last_search_is_opened(run: Run, notes: Path, opened: Path) -> None:
    run("ingest", "notes")
    run("search", "soup and fuse", "--threshold", "0")
    run("open", "2")
    assert opened.read_text().startswith(notes.as_uri())


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "--version", "ssh://host", "/etc/passwd"])
def test_only_files_and_web_pages_are_opened(run: Run, opened: Path, link: str) -> None:
    remember({1: link})
    done = run("open", "1")
    assert (done.code, opened.exists()) == (1, False)
    assert "nothing to open" in done.err


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({})])
def test_nothing_remembered_is_said(run: Run, opened: Path, content: str) -> None:
    remember({1: "file:///x"})
    state().write_text(content)
    assert run("open").err.startswith("InputError: ")
    assert not opened.exists()


def test_a_program_that_fails_is_said_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    remember({1: "file:///x"})
    monkeypatch.setenv("RAG_OPENER", "false")
    assert "false could not open file:///x (exit code 1)" in run("open").err
