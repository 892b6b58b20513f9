"""No more requests and tokens a minute than a provider allows: who comes too early waits his turn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from threading import Lock

from rag.errors import TransientError
from rag.protocols import Reranker
from rag.selection import estimate_tokens
from rag.types import Candidate, Question, RerankerCard, Scores

_MINUTE = 60.0


class Allowance:
    """So much a minute, saved up to a whole minute's. What is asked beyond has to be waited for."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(a_minute)
        self._clock = clock
        self._lock = Lock()
        self._left = self._most
        self._at = clock()

    def reserve(self, amount: float, longest: float) -> float | None:
        """Seconds to wait; None, and nothing is reserved, where that is longer than `longest`.

        More than a whole minute's is taken for a minute's: else it could never be asked for.
        """
        with self._lock:
            now = self._clock()
            self._left = min(self._left + (now - self._at) * self._most / _MINUTE, self._most)
            self._at = now
            left = self._left - min(amount, self._most)
            wait = max(-left * _MINUTE / self._most, 0.0)
            if wait > longest:
                return None
            self._left = left
            return wait

    def give_back(self, amount: float) -> None:
        with self._lock:
            self._left += min(amount, self._most)


class TooSoon(TransientError):
    """Nobody was asked: our own allowance is used up for longer than the caller can wait."""


class Paced:
    """The allowances are the provider's: all rerankers that ask it share them."""

    def __init__(
        self,
        inner: Reranker,
        provider: str,
        requests: Allowance | None,
        tokens: Allowance | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._provider = provider
        self._requests = requests
        self._tokens = tokens
        self._sleep = sleep

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        longest = float("inf") if question.until is None else max(question.until - time.monotonic(), 0.0)
        self._sleep(self._turn(_tokens(question, candidates), longest))
        return self._inner.score(question, candidates)

    def _turn(self, tokens: int, longest: float) -> float:
        first = self._requests.reserve(1, longest) if self._requests else 0.0
        second = self._tokens.reserve(tokens, longest) if self._tokens and first is not None else 0.0
        if first is None or second is None:
            if self._requests and first is not None:
                self._requests.give_back(1)
            raise TooSoon(
                f"{self._provider}'s limit a minute is used up for longer than the deadline allows",
                provider=self._provider,
                retry_after=math.inf,
            )
        return max(first, second)


def _tokens(question: Question, candidates: Sequence[Candidate]) -> int:
    """The question counts once a candidate, as the services count it."""
    read = sum(estimate_tokens(c.chunk.reading or c.chunk.text) for c in candidates)
    return read + len(candidates) * estimate_tokens(question.text)
