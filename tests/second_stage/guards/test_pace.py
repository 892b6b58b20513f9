"""What a provider allows a minute, and what it costs."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from support.builders import candidate, candidates
from support.scripted import QUESTION, Clock, Told

from rag.errors import TransientError
from rag.second_stage.guards.breaker import Breaker
from rag.second_stage.guards.pace import Allowance, Paced
from rag.second_stage.guards.price import Price, Priced
from rag.second_stage.guards.retry import Retry


def test_so_many_a_minute_and_whoever_comes_too_early_waits_his_turn() -> None:
    clock = Clock()
    allowance = Allowance(2, clock)
    assert [allowance.reserve(1, 1000) for _ in range(4)] == [0, 0, 30, 60]
    clock.now = 120
    assert allowance.reserve(1, 1000) == 0


def test_a_wait_beyond_the_deadline_is_told_and_reserves_nothing() -> None:
    requests, tokens = Allowance(1, Clock()), Allowance(10_000, Clock())
    waits: list[float] = []
    paced = Paced(Told(), "p", requests, tokens, sleep=waits.append)
    paced.score(QUESTION, candidates(1))
    with pytest.raises(TransientError, match="limit a minute"):
        paced.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    paced.score(QUESTION, candidates(1))
    assert waits == [0.0, 60.0]


def test_an_allowance_that_is_used_up_is_no_failure_of_the_service() -> None:
    inner = Told()
    paced = Paced(inner, "p", Allowance(1, Clock()), None, sleep=lambda _: None)
    waits: list[float] = []
    breaker = Breaker(Retry(paced, 3, sleep=waits.append), "p", failures=1, pause_s=30, clock=Clock())
    breaker.score(QUESTION, candidates(1))
    for _ in range(2):
        with pytest.raises(TransientError, match="limit a minute"):
            breaker.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    assert (waits, len(inner.asked)) == ([], 1)


def test_tokens_are_counted_too() -> None:
    waits: list[float] = []
    paced = Paced(Told(), "p", None, Allowance(100, Clock()), sleep=waits.append)
    for _ in range(2):
        paced.score(QUESTION, [candidate("x" * 360)])
    assert waits == [0.0, pytest.approx(52.8)]


def test_units_and_tokens_become_money() -> None:
    inner = Told()
    inner.units = 3
    assert Priced(inner, Price(0.002, 10.0)).score(QUESTION, candidates(5)).cost == pytest.approx(0.00605)
