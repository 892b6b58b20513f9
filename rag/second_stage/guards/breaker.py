"""A service that fails again and again is left alone for a while; then one call tells whether it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock

from rag.errors import ProtocolError, TransientError
from rag.protocols import Reranker
from rag.second_stage.guards.pace import TooSoon
from rag.types import Candidate, Question, RerankerCard, Scores


class Breaker:
    def __init__(
        self,
        inner: Reranker,
        provider: str,
        failures: int,
        pause_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._provider = provider
        self._most = failures
        self._pause_s = pause_s
        self._clock = clock
        self._lock = Lock()
        self._failed = 0
        self._last = ""
        self._closed_at = clock()

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        self._pass()
        try:
            scores = self._inner.score(question, candidates)
        except TooSoon:
            raise
        except (TransientError, ProtocolError) as error:
            self._note_failure(str(error))
            raise
        with self._lock:
            self._failed = 0
        return scores

    def _pass(self) -> None:
        """Half-open after the pause: the one who comes first moves its end, so that nobody follows him."""
        with self._lock:
            if self._failed < self._most:
                return
            left = self._closed_at - self._clock()
            if left <= 0:
                self._closed_at = self._clock() + self._pause_s
                return
        raise TransientError(
            f"{self._provider} failed {self._failed} times in a row and is left alone for {left:.0f} s more; "
            f"the last time: {self._last}",
            provider=self._provider,
        )

    def _note_failure(self, told: str) -> None:
        with self._lock:
            self._failed += 1
            self._last = told
            self._closed_at = self._clock() + self._pause_s
