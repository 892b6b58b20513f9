"""Calls side by side, and what counts when the time is over."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from support.builders import RAW, candidates
from support.scripted import NONSENSE, PASSING, QUESTION, WRONG_KEY, Fixed, Told, kinds

from rag.errors import ServiceError
from rag.second_stage.guards.deadline import Batches, Deadline
from rag.second_stage.rank import rerank


def test_what_is_in_by_the_deadline_counts_and_the_rest_keeps_its_order_below() -> None:
    never = threading.Event()
    inner = Told(value=float).then(lambda: None, lambda: never.wait(30))
    stage = Deadline(Batches(inner, size=2, parallel=1), deadline_ms=100)
    scores = stage.score(QUESTION, candidates(5))
    never.set()
    assert (scores.status, scores.reason) == ("late", "told was late, 2 of 5 scored")
    assert kinds(scores) == ["told", "told", "none", "none", "none"]
    passages, trace = rerank(Fixed(scores), RAW, QUESTION, candidates(5))
    assert [p.candidate.rank for p in passages] == [2, 1, 3, 4, 5]
    assert (trace.status, trace.scored, trace.candidates, trace.kind) == ("late", 2, 5, "told")


def test_nothing_is_in_by_the_deadline() -> None:
    never = threading.Event()
    stage = Deadline(Batches(Told().then(lambda: never.wait(30)), None, 1), deadline_ms=50)
    scores = stage.score(QUESTION, candidates(3))
    never.set()
    assert (scores.status, kinds(scores)) == ("late", ["none"] * 3)
    assert rerank(Fixed(scores), RAW, QUESTION, candidates(3))[1].kind == "none"


def test_a_permanent_refusal_is_not_taken_for_lateness() -> None:
    never = threading.Event()

    def refuse_at_last() -> None:
        never.wait(0.15)
        raise WRONG_KEY

    stage = Deadline(Batches(Told().then(lambda: None, refuse_at_last), 1, 1), deadline_ms=100)
    scores = stage.score(QUESTION, candidates(3))
    assert scores.status == "late"
    with pytest.raises(ServiceError, match="wrong key"):
        Deadline(Batches(Told().then(WRONG_KEY), 1, 1), deadline_ms=5000).score(QUESTION, candidates(3))


def test_no_call_is_begun_after_the_deadline() -> None:
    inner = Told()
    scores = Batches(inner, 1, 4).score(replace(QUESTION, until=time.monotonic() - 1), candidates(3))
    assert (scores.status, kinds(scores), inner.asked) == ("late", ["none"] * 3, [])


def test_calls_go_out_side_by_side() -> None:
    """Each waits for the other: one after the other they would never end."""
    together = threading.Barrier(2)
    inner = Told().then(lambda: together.wait(10), lambda: together.wait(10))
    assert Batches(inner, size=1, parallel=2).score(QUESTION, candidates(2)).values == (-1.0, -2.0)


def test_split_calls_are_merged_to_what_one_call_would_have_said() -> None:
    whole = Told().score(QUESTION, candidates(200))
    split = Batches(Told(), size=7, parallel=3).score(QUESTION, candidates(200))
    assert split.values == whole.values
    assert (split.tokens, split.status) == (200, "ok")


@pytest.mark.parametrize("error", [PASSING, WRONG_KEY, NONSENSE])
def test_an_error_of_one_call_is_the_error_of_all(error: Exception) -> None:
    with pytest.raises(type(error)):
        Batches(Told().then(lambda: None, error), size=1, parallel=1).score(QUESTION, candidates(3))


def test_without_a_deadline_one_call_is_made_on_the_callers_thread() -> None:
    threads: list[threading.Thread] = []
    inner = Told().then(lambda: threads.append(threading.current_thread()))
    Batches(inner, None, 4).score(QUESTION, candidates(3))
    assert threads == [threading.current_thread()]
