"""Whatever a document, a name or a service says, it steers neither a terminal nor a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Run

from rag.shown import in_json, in_line, shown

# Clears the screen, sets the window's title, sets the clipboard, C1's CSI, turns the text's direction.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;aGk=\x07\x9b31m\u202egnp.exe\u2066\x00\r"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


@given(st.text())
def test_no_text_steers_and_none_is_lost(text: str) -> None:
    assert not STEERS.search(shown(text))
    assert "\n" not in in_line(text)
    assert json.loads(in_json(json.dumps(text, ensure_ascii=False))) == text
    assert not STEERS.search(in_json(json.dumps(text, ensure_ascii=False)))


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("naïve 🌍\n\tcafé", "שלום עולם", "⟨a⟩ — b", "x\u200dy"):
        assert shown(text) == text


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    name = "fuse\x1b[31m\nbox\u202e.md"
    (tmp_path / name).write_text(
        f"---\nnote: {json.dumps(HOSTILE)}\n---\n\n# Fuses {HOSTILE}\n\n"
        f"The spare fuse {HOSTILE} is in the red drawer.\n"
    )
    (tmp_path / "bad\x1b]0;t\x07.pdf").write_bytes(b"%PDF-1.4 \x1b[2J")
    return tmp_path


def test_no_command_lets_a_document_steer_the_terminal(run: Run, hostile: Path) -> None:
    source = next(path.name for path in hostile.glob("fuse*"))
    question = f"Where is the spare fuse? {HOSTILE}"
    for arguments in (
        ("ingest", "."),
        ("ask", question, "--explain"),
        ("ask", question, "--json"),
        ("search", question),
        ("why", question, source),
        ("status", "--sources"),
        ("status", "--sources", "--json"),
        ("ask", "fuse", "--where", f"note={HOSTILE}"),
        ("ask", "fuse", "--where", HOSTILE),
        ("config", "--config", f"absent{HOSTILE[:-2]}.yaml"),
        ("remove", f"nowhere{HOSTILE[:-2]}"),
        ("remove", source, "--yes"),
    ):
        done = run(*arguments)
        assert not STEERS.search(done.out + done.err), arguments
        assert "Traceback" not in done.err
