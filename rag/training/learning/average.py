"""Between the start and what was learned: a mean of both often ranks better than either, and forgets less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rag.training.learning.loop import trained, weights_of
from rag.training.learning.student import Student

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]


def mix(student: Student, start: Weights, learned: Weights, share: float) -> None:
    """So much of what was learned, the rest as it was before."""
    for name, value in trained(student):
        value.data.copy_(start[name] + share * (learned[name] - start[name]))


def choose_share(
    student: Student,
    start: Weights,
    shares: Sequence[float],
    whole: float,
    measure: Callable[[Student], float],
) -> dict[float, float]:
    """Leaves the student with the best share's weights; returns what each share measured. `whole`: what is
    known of all that was learned, the share 1."""
    learned = weights_of(student)
    measured = {1.0: whole}
    for share in shares:
        mix(student, start, learned, share)
        measured[share] = measure(student)
    mix(student, start, learned, best_share(measured))
    return measured


def best_share(measured: Mapping[float, float]) -> float:
    """Of equals the one that has moved least."""
    return max(measured, key=lambda share: (measured[share], -share))
