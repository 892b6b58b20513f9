"""Scores of several readings as one: of each candidate the best scorer's, nobody's where none read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.types import NOBODY, Candidate, RerankerCard, Scores


@dataclass(frozen=True, slots=True)
class Layer:
    """What `card` was asked to read: the scores of the candidates in these places."""

    card: RerankerCard
    places: Sequence[int]
    scores: Scores

    def read(self) -> dict[int, tuple[RerankerCard, float]]:
        scorers = self.scores.scorers or (self.card,)
        by = self.scores.by or (0,) * len(self.places)
        return {
            place: (scorers[scorer], value)
            for place, scorer, value in zip(self.places, by, self.scores.values, strict=True)
            if scorers[scorer] != NOBODY
        }


def layered(layers: Sequence[Layer], candidates: Sequence[Candidate]) -> Scores:
    """Of two layers that read the same candidate, the first counts."""
    found: dict[int, tuple[RerankerCard, float]] = {}
    for layer in layers:
        found = layer.read() | found
    scorers = tuple(dict.fromkeys([*_scorers(layers), NOBODY]))
    scored = [found.get(i, (NOBODY, candidate.fused)) for i, candidate in enumerate(candidates)]
    return Scores(
        values=tuple(value for _, value in scored),
        truncated=sum(layer.scores.truncated for layer in layers),
        encoded=sum(layer.scores.encoded for layer in layers),
        units=sum(layer.scores.units for layer in layers),
        tokens=sum(layer.scores.tokens for layer in layers),
        cached=sum(layer.scores.cached for layer in layers),
        cost=total(layer.scores.cost for layer in layers),
        scorers=scorers,
        by=tuple(scorers.index(scorer) for scorer, _ in scored),
    )


def unread(candidates: Sequence[Candidate]) -> Scores:
    """The first stage's order."""
    return layered([], candidates)


def count_read(scores: Scores, card: RerankerCard) -> int:
    scorers = scores.scorers or (card,)
    return sum(scorers[scorer] != NOBODY for scorer in scores.by or (0,) * len(scores.values))


def total(costs: Iterable[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None


def _scorers(layers: Sequence[Layer]) -> list[RerankerCard]:
    return [scorer for layer in layers for scorer in layer.scores.scorers or (layer.card,)]
