"""A threshold that keeps its promise: learn then test, by exact binomial bounds.

From the strictest threshold on, each is tested: were the true share of false answers above the one that is
wished for, how likely were so few among these questions? The laxest that passes before the first that fails
is taken; as they are tested in a fixed order, all of them together are wrong no more often than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# How sure the promise is.
SURE = 0.95


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Of questions without an answer at most the share `rate` gets one, `sure` of the time. `threshold` is
    None where the questions are too few: `needed` is the least number, with no false answer among them."""

    rate: float
    sure: float
    threshold: float | None
    questions: int
    false_answers: int
    needed: int

    @property
    def text(self) -> str:
        promise = f"at most {self.rate:.0%} of questions without an answer get one, {self.sure:.0%} sure"
        if self.threshold is None:
            return (
                f"{promise}: not with {self.questions} questions without an answer; it takes at least "
                f"{self.needed}"
            )
        return (
            f"{promise}: answer.unsure {self.threshold:.4f} ({self.false_answers} of {self.questions} such "
            "questions were answered)"
        )


def guarantee(confidences: Sequence[float], rate: float, sure: float = SURE) -> Guarantee:
    """`confidences`: of questions that have no answer in the documents."""
    questions, needed = len(confidences), questions_needed(rate, sure)
    least: float | None = None
    passed = 0
    # Above the highest nothing is answered; every step down lets one more question through.
    steps = [1.0, *sorted(confidences, reverse=True)]
    for wrong, confidence in enumerate(steps):
        if _chance(wrong, questions, rate) > 1 - sure:
            break
        least, passed = (1.0 if wrong == 0 else confidence), wrong
    if least is None:
        return Guarantee(rate, sure, None, questions, 0, needed)
    below = [c for c in confidences if c < least] if passed else list(confidences)
    threshold = math.nextafter(max(below, default=0.0), 1.0)
    return Guarantee(rate, sure, threshold, questions, sum(c >= threshold for c in confidences), needed)


def questions_needed(rate: float, sure: float) -> int:
    """So many without one false answer show it."""
    return math.ceil(math.log(1 - sure) / math.log(1 - rate)) if 0 < rate < 1 else 1


def _chance(wrong: int, questions: int, rate: float) -> float:
    """Of at most so many wrong ones, were each wrong with that rate."""
    return sum(math.comb(questions, k) * rate**k * (1 - rate) ** (questions - k) for k in range(wrong + 1))
