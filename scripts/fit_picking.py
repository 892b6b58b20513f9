#!/usr/bin/env python
"""Fits how units are weighed for a quoted answer, on questions about manuals that are not measured.

    python scripts/fit_picking.py [--set exim ...]

Prints the weights that rag/answers/picking.py holds, without a reader and with one, and how often the fact is
in the first unit. The documents come from Debian's packages (scripts/manuals).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no stubs

sys.path.insert(0, str(Path(__file__).parent.parent))

from manuals.questions import ManualQuestion, read_questions
from manuals.sets import SETS, find_set, lay_out
from manuals.wording import says

from rag import Rag, Settings
from rag.answers.picking import features
from rag.answers.units import units, whole
from rag.generators.extractive import ExtractiveGenerator
from rag.types import Passage

PLAIN = ("match", "in_context", "relevance", "words", "asked")
READ = (*PLAIN, "marks", "reading")
CACHE = Path.home() / ".cache" / "rag-manuals"


@dataclass(frozen=True, slots=True)
class Asked:
    """Of one question the features of every unit, and whether it says the fact."""

    rows: Sequence[Mapping[str, float]]
    right: Sequence[bool]


def main(
    sets: Annotated[list[str] | None, typer.Option("--set", help="One for fitting.")] = None,
) -> None:
    names = sets or [manual.name for manual in SETS if manual.fits]
    asked = [one for name in names for one in _ask(name)]
    print(f"{len(asked)} questions of {', '.join(names)}")
    for named in (PLAIN, READ):
        _fit(asked, named)


def _ask(name: str) -> Iterator[Asked]:
    manual = find_set(name)
    folder, _ = lay_out(manual, CACHE)
    rag = Rag(Settings(store={"path": CACHE / "index" / f"{name}-fit"}))  # type: ignore[arg-type]  # pydantic validates
    rag.ingest(folder)
    for question in read_questions(manual):
        if question.answerable and (one := _units(rag, question)):
            yield one


def _units(rag: Rag, asked: ManualQuestion) -> Asked | None:
    question = rag.pipeline.encode(asked.text)
    found = rag.pipeline.find(question).passages
    generator, reader = rag.pipeline.generator(), rag.pipeline.reader
    if not found or reader is None or not isinstance(generator, ExtractiveGenerator):
        return None
    readings = reader.read(asked.text, [passage.chunk.reading for passage in found])
    passages: list[Passage] = [replace(p, read=read) for p, read in zip(found, readings, strict=True)]
    pieces = [unit for unit in units(passages) if unit.answers] or whole(passages)
    rows = features(asked.text, pieces, passages, generator.likeness(question, passages))
    return Asked(rows, [says("\n".join(unit.lines), asked.fact) for unit in pieces])


def _fit(asked: Sequence[Asked], named: Sequence[str]) -> None:
    held = [one for one in asked if any(one.right)]
    given = np.array([[row[name] for name in named] for one in held for row in one.rows])
    model = LogisticRegression(max_iter=2000).fit(given, [right for one in held for right in one.right])
    weights = dict(zip(named, model.coef_[0].round(2), strict=True))
    first = [one.right[int(np.argmax(_scores(one, weights)))] for one in held]
    print(f"bias {model.intercept_[0]:.2f}", *(f"{name} {weight:.2f}" for name, weight in weights.items()))
    print(f"the fact is in the first unit of {np.mean(first):.2f} of {len(held)}")


def _scores(one: Asked, weights: Mapping[str, float]) -> list[float]:
    return [sum(weight * row[name] for name, weight in weights.items()) for row in one.rows]


if __name__ == "__main__":
    typer.run(main)
