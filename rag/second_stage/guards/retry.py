"""A reranker whose failure may pass is asked again, while the deadline allows it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from rag.protocols import Reranker
from rag.services.retry import patiently
from rag.types import Candidate, Question, RerankerCard, Scores

# Somebody waits for the answer.
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
        return patiently(
            lambda: self._inner.score(question, candidates),
            self._retries,
            until=question.until,
            first_s=_FIRST_WAIT_S,
            longest_s=_LONGEST_WAIT_S,
            sleep=self._sleep,
            jitter=self._jitter,
        )
