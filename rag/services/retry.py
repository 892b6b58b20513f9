"""A failure that may pass is tried again: after what the service asks for, or a growing, random wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from rag.errors import TransientError

T = TypeVar("T")


def patiently(
    call: Callable[[], T],
    retries: int,
    *,
    until: float | None = None,
    first_s: float = 0.5,
    longest_s: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """`until`: when the answer is of no use any more, on the clock of `time.monotonic`."""
    for attempt in range(retries):
        try:
            return call()
        except TransientError as error:
            wait = _wait(error.retry_after, first_s * 2**attempt, jitter)
            if wait > longest_s or (until is not None and time.monotonic() + wait >= until):
                raise
        sleep(wait)
    return call()


def _wait(asked: float | None, usual: float, jitter: Callable[[], float]) -> float:
    if asked is None:
        return usual * (0.5 + jitter())
    # A little more: everybody who was refused got the same number.
    return asked + 0.1 * jitter() * min(asked, 1.0)
