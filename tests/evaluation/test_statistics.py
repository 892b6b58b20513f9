"""Luck is told from gain as often as promised, and as scipy tells it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it has no stubs

from rag.evaluation.statistics import (
    ALPHA,
    POWER,
    difference,
    holm,
    interval,
    questions_needed,
    questions_to_rule_out,
    randomisation,
)
from rag.evaluation.verdict import judge

SEEDS = 1000


def ndcg_like(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Many questions at 0 or 1, the others between, as nDCG has it."""
    drawn = rng.beta(0.8, 0.5, shape)
    return np.where(rng.random(shape) < 0.3, np.round(drawn), np.round(drawn, 3))


# --- as scipy has it -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_few_questions_are_tested_exactly_as_by_scipy(seed: int) -> None:
    gains = np.random.default_rng(seed).normal(0.1, 0.3, 9)
    expected = stats.permutation_test(
        (gains, np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=10_000
    ).pvalue
    assert randomisation(gains[:, None], 0)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("seed", "mean"), [(0, 0.0), (1, 0.03), (2, 0.06)])
def test_many_questions_are_tested_as_by_scipy_but_for_the_draw(seed: int, mean: float) -> None:
    gains = np.random.default_rng(seed).normal(mean, 0.2, 80)
    expected = stats.permutation_test(
        (gains, np.zeros(80)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=5000,
        rng=seed,
    ).pvalue
    assert randomisation(gains[:, None], seed)[0] == pytest.approx(expected, abs=0.02)


def test_the_interval_is_scipys_percentile_bootstrap_but_for_the_draw() -> None:
    values = np.random.default_rng(3).gamma(2, 0.1, 120)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=3).confidence_interval
    found = interval(values, 3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.004)
    assert found.mean == pytest.approx(values.mean())


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """A few questions make the percentile bootstrap a little narrow; a hundred are enough."""
    rng = np.random.default_rng(8)
    truth = float(ndcg_like(np.random.default_rng(0), (400_000,)).mean())
    found = [interval(ndcg_like(rng, (100,)), seed, rounds=400) for seed in range(400)]
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.91 <= held <= 0.98


def test_holms_correction_on_the_textbooks_cases() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_holm_finds_false_differences_among_five_no_more_often_than_alpha() -> None:
    rng = np.random.default_rng(11)
    values = rng.random((4000, 5))
    false = np.mean([min(holm(row.tolist())) <= ALPHA for row in values])
    assert false <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / 4000)


# --- promises ------------------------------------------------------------------------------


def test_a_against_a_is_significant_no_more_often_than_alpha() -> None:
    """Two runs of one system whose scores differ by luck alone, a thousand times. That it is 5% in the
    long run can show in a thousand as any count that 5% makes likely."""
    rng = np.random.default_rng(0)
    gains = ndcg_like(rng, (100, SEEDS)) - ndcg_like(rng, (100, SEEDS))
    found = int((randomisation(gains, 0, rounds=2000) <= ALPHA).sum())
    assert stats.binom.ppf(0.01, SEEDS, ALPHA) <= found <= stats.binom.ppf(0.99, SEEDS, ALPHA)


def test_few_questions_with_many_ties_make_it_more_careful_not_less() -> None:
    rng = np.random.default_rng(1)
    gains = np.round(ndcg_like(rng, (12, SEEDS))) - np.round(ndcg_like(rng, (12, SEEDS)))
    assert np.mean(randomisation(gains, 1) <= ALPHA) < ALPHA


def test_a_against_itself_is_never_significant_whatever_the_seed() -> None:
    scores = ndcg_like(np.random.default_rng(1), (60,)).tolist()
    for seed in range(20):
        found = difference(scores, scores, seed)
        assert (found.mean, found.p, found.ties) == (0.0, 1.0, 60)
        assert judge(found, found.p, "ndcg@10", 0.02).word == "keep"


@pytest.mark.parametrize("deviation", [0.1, 0.2])
def test_a_shift_of_two_hundredths_is_found_at_the_promised_power(deviation: float) -> None:
    """By as many questions as were said to be needed; gains are skewed and many are zero, as they are."""
    rng = np.random.default_rng(5)
    questions = questions_needed(deviation, 0.02)
    moved = rng.random((questions, SEEDS)) < 0.5
    spread = np.sqrt(2) * deviation
    gains = 0.02 + np.where(moved, rng.laplace(0, spread / np.sqrt(2), (questions, SEEDS)), 0.0)
    found = np.mean(randomisation(gains, 5, rounds=1000) <= ALPHA)
    assert found == pytest.approx(POWER, abs=0.035)


def test_the_questions_that_are_needed_are_those_of_the_normal_distribution_and_a_few() -> None:
    assert questions_needed(0.2, 0.02) == pytest.approx(785 + 2, abs=2)  # (1.960 + 0.842)² · 100
    assert questions_needed(0.2, 0.02, tests=3) > questions_needed(0.2, 0.02)
    assert questions_needed(0.0, 0.02) == 0
    assert questions_needed(0.2, 0.0) == 0
    assert questions_to_rule_out(0.2, 0.0, 0.02) == 385


def test_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.random(70).tolist(), rng.random(70).tolist()
    assert difference(before, after, 7) == difference(before, after, 7)
    assert difference(before, after, 7).low != difference(before, after, 8).low


def test_large_sets_are_drawn_in_blocks_without_another_result() -> None:
    gains = np.random.default_rng(4).normal(0.01, 0.1, (6000, 1))
    assert 0.0 < randomisation(gains, 0, rounds=1500)[0] <= 1.0
    assert interval(gains[:, 0], 0, rounds=1500).low < gains.mean()


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_no_question_or_one_tells_nothing(scores: list[float]) -> None:
    found = difference(scores, [score + 0.1 for score in scores], 0)
    assert found.p == 1.0
    assert judge(found, found.p, "ndcg@10", 0.02).word == "not enough questions"


# --- verdicts ------------------------------------------------------------------------------


def verdict(mean: float, deviation: float, questions: int) -> tuple[str, int | None]:
    rng = np.random.default_rng(9)
    gains = rng.normal(0, 1, questions)
    gains = (gains - gains.mean()) / gains.std() * deviation + mean
    found = difference([0.0] * questions, gains.tolist(), 0)
    judged = judge(found, found.p, "ndcg@10", 0.02)
    return judged.word, judged.needed


def test_a_sure_gain_is_adopted_and_a_sure_loss_is_not() -> None:
    assert verdict(0.05, 0.1, 200) == ("adopt", None)
    assert verdict(-0.05, 0.1, 200) == ("keep", None)


def test_where_a_gain_that_matters_is_ruled_out_the_old_one_is_kept() -> None:
    assert verdict(0.0, 0.1, 2000) == ("keep", None)


def test_else_it_says_how_many_questions_would_tell() -> None:
    word, needed = verdict(0.02, 0.2, 100)
    assert word == "not enough questions"
    assert needed is not None
    assert 700 <= needed <= 900
    nothing, fewer = verdict(0.0, 0.2, 100)
    assert nothing == "not enough questions"
    assert fewer == pytest.approx(385, abs=5), "to rule a gain out takes fewer than to find it"
