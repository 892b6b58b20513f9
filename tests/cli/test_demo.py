"""The demo leaves an index of its own, and has nothing to do the second time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.places import ROOT

from rag.cli import demo as command
from rag.cli.demo import STORE, crossings, prepare
from rag.files.shipped import handbook
from rag.types import CandidateTrace, Trace

README_OUTPUT = (ROOT / "README.md").read_text().split("$ scripts/demo\n")[1].split("```")[0]
FIGURE = re.compile(r"^(confidence) \d\.\d\d", re.MULTILINE)


def unlike(claimed: str, real: str) -> list[str]:
    """Lines that the real output does not have; `…` stands for what was left out.

    Confidence is not compared: processors round differently.
    """
    shown = FIGURE.sub(r"\1", real).splitlines()
    lines = FIGURE.sub(r"\1", claimed).splitlines()
    return [line for line in lines if not any(there.startswith(line.rstrip("…")) for there in shown)]


def test_the_handbook_is_found() -> None:
    assert (handbook() / "telescopes" / "resetting-the-tracker.md").exists()


@pytest.mark.slow  # it encodes the whole handbook
def test_the_demo_answers_and_refuses_and_embeds_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_STORE__PATH", str(tmp_path / "mine"))
    command.show()
    shown = capsys.readouterr().out
    assert unlike(README_OUTPUT, shown) == [], "the README shows another output"
    assert "[1] handbook/site/power-plant-manual.pdf, page 2" in shown
    assert shown.count("What reranking moved") == 3
    assert "The documents do not answer this question." in shown
    assert not (tmp_path / "mine").exists(), "the demo has an index of its own"
    assert (tmp_path / STORE).is_dir()
    _, report = prepare()
    assert (report.new, report.changed, report.removed, report.embedded) == (0, 0, 0, 0)
    assert report.unchanged > 40


def test_crossings_are_those_who_came_in_and_those_who_left() -> None:
    rows = tuple(
        CandidateTrace(name, f"{name}.md", None, None, fused, reranked, 0.0, 0.0, fused - reranked, True, "")
        for name, fused, reranked in [("in", 9, 2), ("stays", 1, 1), ("out", 2, 3), ("far", 5, 9)]
    )
    assert [row.id for row in crossings(Trace(candidates=rows), 2)] == ["in", "out"]
