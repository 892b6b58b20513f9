"""Where reranking is not worth its time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.builders import candidates
from support.scripted import QUESTION, Told

from rag.second_stage.guards.skip import Skip
from rag.types import Candidate, Evidence


def leading(lead: float) -> list[Candidate]:
    cosines = [0.5 + lead, 0.4, 0.5]
    return [replace(c, evidence=Evidence(cosine)) for c, cosine in zip(candidates(3), cosines, strict=True)]


@pytest.mark.parametrize(
    ("few", "margin", "lead", "skipped"),
    [(3, None, 0.0, True), (2, None, 0.0, False), (None, 0.2, 0.3, True), (None, 0.2, 0.1, False)],
)
def test_reranking_is_skipped_where_it_could_not_change_much(
    few: int | None, margin: float | None, lead: float, skipped: bool
) -> None:
    inner = Told()
    scores = Skip(inner, few, margin).score(QUESTION, leading(lead))
    assert (scores.status == "skipped", len(inner.asked)) == (skipped, int(not skipped))
    assert ("skip_when" in scores.reason) == skipped


def test_without_the_first_stages_cosines_nothing_is_certain() -> None:
    assert Skip(Told(), None, 0.0).score(QUESTION, candidates(3)).status == "ok"
