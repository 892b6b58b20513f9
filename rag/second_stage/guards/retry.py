"""A failure that may pass is tried again: after what the service asks for, or a growing, random wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from rag.errors import TransientError
from rag.protocols import Reranker
from rag.second_stage.guards.pace import TooSoon
from rag.types import Candidate, Question, RerankerCard, Scores

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 20.0


class Retry:
    def __init__(
        self,
        inner: Reranker,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._retries = retries
        self._sleep = sleep
        self._jitter = jitter

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        for attempt in range(self._retries):
            try:
                return self._inner.score(question, candidates)
            except TooSoon:
                raise
            except TransientError as error:
                wait = self._wait(attempt, error)
                if wait > _LONGEST_WAIT_S or _too_late(wait, question.until):
                    raise
                self._sleep(wait)
        return self._inner.score(question, candidates)

    def _wait(self, attempt: int, error: TransientError) -> float:
        if error.retry_after is not None:
            # A little more: everybody who was refused got the same number.
            return error.retry_after + 0.1 * self._jitter() * min(error.retry_after, 1.0)
        return float(_FIRST_WAIT_S * 2**attempt * (0.5 + self._jitter()))


def _too_late(wait: float, until: float | None) -> bool:
    return until is not None and time.monotonic() + wait >= until
