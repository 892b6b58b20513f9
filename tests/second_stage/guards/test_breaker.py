"""A service that fails again and again is left alone for a while."""

from __future__ import annotations

import pytest
from support.builders import candidates
from support.scripted import NONSENSE, PASSING, QUESTION, WRONG_KEY, Clock, Told

from rag.errors import ProtocolError, ServiceError, TransientError
from rag.second_stage.guards.breaker import Breaker


def test_after_repeated_failures_the_service_is_left_alone_then_tried_once() -> None:
    clock, inner = Clock(), Told().then(PASSING, NONSENSE, PASSING, PASSING)
    breaker = Breaker(inner, "p", failures=2, pause_s=30, clock=clock)

    def ask() -> str:
        try:
            breaker.score(QUESTION, candidates(1))
        except (TransientError, ProtocolError) as error:
            return str(error)
        return "ok"

    assert [ask(), ask()] == ["busy", "nonsense"]
    assert "left alone for 30 s more; the last time: nonsense" in ask()
    assert len(inner.asked) == 2
    clock.now = 31
    assert ask() == "busy"
    assert "left alone" in ask()
    clock.now = 62
    inner.script.clear()
    assert [ask(), ask()] == ["ok", "ok"]


def test_while_one_tries_whether_it_is_back_nobody_else_does() -> None:
    clock, inner = Clock(), Told().then(PASSING)
    breaker = Breaker(inner, "p", failures=1, pause_s=30, clock=clock)
    with pytest.raises(TransientError):
        breaker.score(QUESTION, candidates(1))
    clock.now = 31
    inside: list[str] = []

    def meanwhile() -> None:
        with pytest.raises(TransientError, match="left alone"):
            breaker.score(QUESTION, candidates(1))
        inside.append("refused")

    inner.then(meanwhile)
    breaker.score(QUESTION, candidates(1))
    assert inside == ["refused"]


def test_a_permanent_refusal_opens_no_breaker() -> None:
    inner = Told().then(WRONG_KEY, WRONG_KEY)
    breaker = Breaker(inner, "p", failures=1, pause_s=30, clock=Clock())
    for _ in range(2):
        with pytest.raises(ServiceError, match="wrong key"):
            breaker.score(QUESTION, candidates(1))
