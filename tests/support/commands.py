"""`rag`, called in this process: what it printed and how it ended."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rag import Settings
from rag.cli.app import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout: anything else beside it would not parse."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def rag(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["rag", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return rag


@pytest.fixture
def config(handbook_settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "handbook.yaml"
    path.write_text(f"store: {{path: '{handbook_settings.store.path}'}}\nreranker: {{top_k: 2}}\n")
    return path


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two documents, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "fuses.md").write_text("---\nteam: power\n---\n\nThe spare fuse is kept in the red drawer.\n")
    (folder / "soup.md").write_text("---\nteam: kitchen\n---\n\nSoup is served at seven in the evening.\n")
    return folder
