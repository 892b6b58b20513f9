"""What may pass is tried again, and nobody waits for long."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from support.builders import candidates
from support.scripted import NONSENSE, PASSING, QUESTION, WRONG_KEY, Told

from rag.errors import InputError, TransientError
from rag.second_stage.guards.retry import Retry


def retrying(inner: Told, retries: int = 2) -> tuple[Retry, list[float]]:
    waits: list[float] = []
    return Retry(inner, retries, sleep=waits.append, jitter=lambda: 0.5), waits


def test_what_may_pass_is_tried_again_after_growing_waits() -> None:
    inner = Told().then(PASSING, PASSING)
    retry, waits = retrying(inner)
    assert len(retry.score(QUESTION, candidates(2)).values) == 2
    assert waits == [0.1, 0.2]


def test_the_service_says_how_long_to_wait() -> None:
    retry, waits = retrying(Told().then(TransientError("wait", provider="p", retry_after=3.0)))
    retry.score(QUESTION, candidates(1))
    assert waits == [pytest.approx(3.05)]


def test_retries_end() -> None:
    inner = Told().then(PASSING, PASSING, PASSING)
    retry, _ = retrying(inner)
    with pytest.raises(TransientError):
        retry.score(QUESTION, candidates(1))
    assert len(inner.asked) == 3


@pytest.mark.parametrize("error", [WRONG_KEY, NONSENSE, InputError("no")])
def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    inner = Told().then(error)
    retry, waits = retrying(inner)
    with pytest.raises(type(error)):
        retry.score(QUESTION, candidates(1))
    assert (len(inner.asked), waits) == (1, [])


def test_a_wait_that_ends_after_the_deadline_is_not_begun() -> None:
    inner = Told().then(TransientError("wait", provider="p", retry_after=5.0))
    retry, waits = retrying(inner)
    with pytest.raises(TransientError):
        retry.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    assert waits == []


def test_nobody_waits_for_minutes() -> None:
    retry, waits = retrying(Told().then(TransientError("wait", provider="p", retry_after=3600)))
    with pytest.raises(TransientError):
        retry.score(QUESTION, candidates(1))
    assert waits == []
