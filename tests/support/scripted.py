"""Rerankers that do as a test tells them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rag.errors import ProtocolError, ServiceError, TransientError
from rag.types import Candidate, Question, RerankerCard, Scores

QUESTION = Question("Who is there?")
PASSING = TransientError("busy", provider="p")
WRONG_KEY = ServiceError("wrong key", provider="p", status=401)
NONSENSE = ProtocolError("nonsense", provider="p")


class Told:
    """Scores each passage by a function of its rank; meets its script first."""

    def __init__(self, kind: str = "told", value: Callable[[int], float] = lambda rank: -float(rank)) -> None:
        self.card = RerankerCard(kind, "m")
        self.value = value
        self.script: deque[Exception | Callable[[], object] | Scores] = deque()
        self.asked: list[list[int]] = []
        self.units = 0.0

    def then(self, *steps: Exception | Callable[[], object] | Scores) -> Told:
        self.script.extend(steps)
        return self

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        self.asked.append([c.rank for c in candidates])
        step = self.script.popleft() if self.script else None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Scores):
            return step
        if step is not None:
            step()
        return Scores(tuple(self.value(c.rank) for c in candidates), units=self.units, tokens=len(candidates))


def kinds(scores: Scores) -> list[str]:
    return [scores.scorers[scorer].kind for scorer in scores.by]


class Fixed:
    """Scores that are there already."""

    def __init__(self, scores: Scores, card: RerankerCard | None = None) -> None:
        self.card = card or RerankerCard("told", "m")
        self.scores = scores

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        return self.scores


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
