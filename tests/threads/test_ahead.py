"""Items made ahead by a thread: the same ones, in order, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from threading import Event

import pytest

from rag.threads.prefetch import ahead


def test_the_same_items_come_in_the_same_order() -> None:
    assert list(ahead(range(1000), 3)) == list(range(1000))
    assert list(ahead([], 1)) == []


def test_while_one_item_is_used_the_next_is_made() -> None:
    second_begun = Event()

    def items() -> Iterator[int]:
        yield 1
        second_begun.set()
        yield 2

    made = ahead(items(), 1)
    assert next(made) == 1
    assert second_begun.wait(10)
    assert list(made) == [2]


def test_no_more_than_so_many_are_made_ahead() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    made = ahead(items(), 2)
    assert next(made) == 0
    made.close()  # type: ignore[attr-defined]  # a generator
    assert len(begun) <= 5


def test_an_error_is_raised_where_the_items_are_used_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    made = ahead(items(), 5)
    assert next(made) == 1
    with pytest.raises(ValueError, match="no more"):
        next(made)


def test_who_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for _ in range(5):
        made = ahead(iter(int, 1), 1)  # endless
        next(made)
        made.close()  # type: ignore[attr-defined]  # a generator
    assert threading.active_count() == before
