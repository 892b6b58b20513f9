#!/usr/bin/env python
"""Fits how units are weighed for a quoted answer, on questions about manuals that are not measured.

    python scripts/fit_picking.py [--set exim ...]

Prints the weights that rag/answers/picking.py holds, without a reader and with one, and how often the fact is
in the first unit. The reader has learned from none of them. The documents come from Debian's packages
(scripts/manuals).
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
from manuals.sets import find_set, lay_out
from manuals.wording import says
from numpy.typing import NDArray
from reader.questions import CHECKED
from scipy.optimize import minimize  # type: ignore[import-untyped]  # it has no stubs

from rag import Rag, Settings
from rag.answers.picking import features
from rag.answers.units import units, whole
from rag.generators.extractive import ExtractiveGenerator
from rag.types import Passage

PLAIN = ("match", "in_context", "relevance", "words", "asked", "length")
READ = (*PLAIN, "marks", "reading")
_PULL = 0.02
CACHE = Path.home() / ".cache" / "rag-manuals"


Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Asked:
    """Of one question the features of every unit, and whether it says the fact."""

    set: str
    rows: Sequence[Mapping[str, float]]
    right: Sequence[bool]


def main(
    sets: Annotated[list[str] | None, typer.Option("--set", help="One for fitting.")] = None,
) -> None:
    names = sets or CHECKED
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
        if question.answerable and (one := _units(name, rag, question)):
            yield one


def _units(name: str, rag: Rag, asked: ManualQuestion) -> Asked | None:
    question = rag.pipeline.encode(asked.text)
    found = rag.pipeline.find(question).passages
    generator, reader = rag.pipeline.generator(), rag.pipeline.reader
    if not found or reader is None or not isinstance(generator, ExtractiveGenerator):
        return None
    readings = reader.read(asked.text, [passage.chunk.reading for passage in found])
    passages: list[Passage] = [replace(p, read=read) for p, read in zip(found, readings, strict=True)]
    pieces = [unit for unit in units(passages) if unit.answers] or whole(passages)
    rows = features(asked.text, pieces, passages, generator.likeness(question, passages))
    return Asked(name, rows, [says("\n".join(unit.lines), asked.fact) for unit in pieces])


def _fit(asked: Sequence[Asked], named: Sequence[str]) -> None:
    held = [one for one in asked if any(one.right)]
    weights = _weights(held, named)
    told = (f"{name} {weight:.2f}" for name, weight in weights.items())
    print(*told)
    for set_ in sorted({one.set for one in held}):
        others = _weights([one for one in held if one.set != set_], named)
        first = [_first(one, others) for one in held if one.set == set_]
        print(f"{set_}, fitted on the others: the fact is in the first unit of {np.mean(first):.2f}")


def _weights(held: Sequence[Asked], named: Sequence[str]) -> dict[str, float]:
    """Which unit of a question is likelier than its others; and how likely that is."""
    given = [np.array([[row[name] for name in named] for row in one.rows]) for one in held]
    right = [np.array(one.right) for one in held]
    spread = np.concatenate(given).std(axis=0) + 1e-9
    scaled = [values / spread for values in given]
    found = minimize(_loss, np.zeros(len(named)), (scaled, right), jac=True).x
    scores = np.concatenate([values @ found for values in scaled])
    scale = LogisticRegression(C=100.0).fit(scores[:, None], np.concatenate(right))
    factor, bias = float(scale.coef_[0][0]), float(scale.intercept_[0])
    return {"bias": bias} | dict(zip(named, (factor * found / spread).tolist(), strict=True))


def _loss(weights: Numbers, given: Sequence[Numbers], right: Sequence[Flags]) -> tuple[float, Numbers]:
    """Of the softmax over a question's units that of those with the fact, with a weak pull to nothing."""
    loss, slope = _PULL * float(weights @ weights), 2 * _PULL * weights
    for values, true in zip(given, right, strict=True):
        scores = values @ weights
        odds = np.exp(scores - scores.max())
        loss -= float(np.log(odds[true].sum() / odds.sum())) / len(given)
        slope -= (odds[true] @ values[true] / odds[true].sum() - odds @ values / odds.sum()) / len(given)
    return loss, slope


def _first(one: Asked, weights: Mapping[str, float]) -> bool:
    return one.right[int(np.argmax(_scores(one, weights)))]


def _scores(one: Asked, weights: Mapping[str, float]) -> list[float]:
    return [sum(weight * row[name] for name, weight in weights.items()) for row in one.rows]


if __name__ == "__main__":
    typer.run(main)
