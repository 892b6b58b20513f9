"""The questions about the sets: `data/manuals/SET.jsonl`, written from the documents before any was asked.
Those of a set for fitting stand in `data/manuals/fit/SET.jsonl`.

A line is a question as `rag.evaluation` reads it, and more: `half` ("work", or "held", which is looked at
once, or "fit"), `fact` (a regular expression that a right answer matches), `relevant` (the files that hold
the fact) and `anchors` (where in them: an HTML id, a PDF's page, a title).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manuals.manual_set import ManualSet

FOLDER = Path(__file__).parent.parent.parent / "data" / "manuals"
HALVES = ("work", "held")
FIT = "fit"


@dataclass(frozen=True, slots=True)
class ManualQuestion:
    id: str
    text: str
    answerable: bool
    half: str
    fact: str = ""
    pages: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()

    @property
    def pdf_pages(self) -> frozenset[int]:
        """Where the set is one PDF: the pages that hold the fact."""
        numbers = (anchor.rpartition("#page=")[2] for anchor in self.anchors if "#page=" in anchor)
        return frozenset(int(number) for number in numbers)


def question_file(manual: ManualSet) -> Path:
    return (FOLDER / FIT if manual.fits else FOLDER) / f"{manual.name}.jsonl"


def read_questions(manual: ManualSet) -> list[ManualQuestion]:
    lines = question_file(manual).read_text("utf-8").splitlines()
    return [_question(json.loads(line)) for line in lines]


def _question(line: dict[str, Any]) -> ManualQuestion:
    return ManualQuestion(
        id=line["_id"],
        text=line["text"],
        answerable=line["answerable"],
        half=line["half"],
        fact=line.get("fact", ""),
        pages=tuple(line.get("relevant", ())),
        anchors=tuple(line.get("anchors", ())),
    )


def halves(ids: Iterable[str]) -> dict[str, str]:
    """Every other id in the order of their hashes, so that no one chooses what is held back."""
    ordered = sorted(ids, key=lambda id_: hashlib.sha256(id_.encode()).hexdigest())
    return {id_: HALVES[place % 2] for place, id_ in enumerate(ordered)}
