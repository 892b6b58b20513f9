"""A promise about false answers, kept as often as it says."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binom  # type: ignore[import-untyped]  # it has no stubs

from rag.evaluation.guarantee import _chance, guarantee, questions_needed


def test_too_few_questions_promise_nothing_and_say_how_many_it_takes() -> None:
    found = guarantee([0.1] * 28, 0.1)
    assert (found.threshold, found.needed) == (None, 29)
    assert "it takes at least 29" in found.text
    assert guarantee([0.1] * 29, 0.1).threshold is not None


def test_with_just_enough_none_is_answered_and_with_more_some_may_be() -> None:
    confidences = [i / 100 for i in range(100)]
    few, many = guarantee(confidences[:29], 0.1), guarantee(confidences, 0.1)
    assert few.false_answers == 0
    assert 0 < many.false_answers < 10
    assert many.threshold is not None
    assert sum(c >= many.threshold for c in confidences) == many.false_answers


@pytest.mark.parametrize(("wrong", "questions", "rate"), [(0, 29, 0.1), (4, 100, 0.1), (30, 300, 0.2)])
def test_the_chance_is_the_binomials(wrong: int, questions: int, rate: float) -> None:
    assert _chance(wrong, questions, rate) == pytest.approx(binom.cdf(wrong, questions, rate))


def test_the_promise_is_broken_no_more_often_than_it_says() -> None:
    draw = random.Random(1)
    broken = 0
    for _ in range(400):
        threshold = guarantee([draw.random() for _ in range(80)], 0.1).threshold
        broken += threshold is not None and 1 - threshold > 0.1  # of a uniform confidence what is above it
    assert broken / 400 <= 0.08


def test_the_stricter_the_wish_the_more_questions_it_takes() -> None:
    assert [questions_needed(rate, 0.95) for rate in (0.2, 0.1, 0.05)] == [14, 29, 59]
