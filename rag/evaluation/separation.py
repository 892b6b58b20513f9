"""Which threshold tells a question with an answer from one without, and whether any does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.selection import Rule, keep_by_relevance

# Of the questions with an answer, so many may be lost where nothing else is wished for.
LOST = 0.05
# A threshold that loses more of them than this, or answers more of the others, separates nothing.
_LEAST_KEPT = 0.8
_MOST_FALSE = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its candidates' relevance, and which of them are relevant.

    `found`: how likely the answer is there, by its confidence; None where there is none.
    """

    answerable: bool
    relevance: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    found: float | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """At most one: the least share of relevant passages among those used, or the most that may be answered
    of the questions without an answer."""

    precision: float | None = None
    false_answers: float | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """`kept`: of the questions with an answer, the share that keeps a relevant passage. `false_answers`:
    of those without, the share that is answered; None where there are none. `clean`: whether it is
    worth having."""

    threshold: float
    kept: float
    precision: float
    false_answers: float | None
    clean: bool
    text: str


def propose(asked: Sequence[Asked], wish: Wish, top_k: int) -> Proposal:
    thresholds = _thresholds(asked)
    if wish.precision is not None:
        reached = [t for t in thresholds if _precision(asked, t, top_k) >= wish.precision]
        return _proposal(asked, min(reached, default=None), f"a precision of {wish.precision:g}", top_k)
    if wish.false_answers is not None:
        if all(one.answerable for one in asked):
            return _proposal(asked, None, "a false-answer rate without a question that has no answer", top_k)
        reached = [t for t in thresholds if (_false(asked, t) or 0.0) <= wish.false_answers]
        return _proposal(
            asked, min(reached, default=None), f"a false-answer rate of {wish.false_answers:g}", top_k
        )
    return _proposal(asked, _keeping(asked), f"to lose {LOST:.0%} of the questions with an answer", top_k)


def curve(asked: Sequence[Asked]) -> list[tuple[float, float, float]]:
    """(threshold, share answered of those with an answer, of those without), from lax to strict."""
    return [(t, _answered(asked, t), _false(asked, t) or 0.0) for t in _thresholds(asked)]


def false_answers_at(asked: Sequence[Asked], rate: float) -> float:
    """Of the questions without an answer, the share that is answered where this share of the others is."""
    return min((false for _, answered, false in curve(asked) if answered >= rate), default=1.0)


def area(asked: Sequence[Asked]) -> float | None:
    """How often a question with an answer has a better best passage than one without: 0.5 is chance."""
    able = np.array([_best(one) for one in asked if one.answerable])
    unable = np.array([_best(one) for one in asked if not one.answerable])
    if not len(able) or not len(unable):
        return None
    above = (able[:, None] > unable).mean()
    return float(above + (able[:, None] == unable).mean() / 2)


def _proposal(asked: Sequence[Asked], threshold: float | None, wished: str, top_k: int) -> Proposal:
    """Where nothing reaches what is wished for, what is proposed is what loses few answers."""
    used = _keeping(asked) if threshold is None else threshold
    kept, false, precision = _kept(asked, used), _false(asked, used), _precision(asked, used, top_k)
    clean = threshold is not None and kept >= _LEAST_KEPT and (false is None or false <= _MOST_FALSE)
    effect = f"at {used:.4f} {kept:.0%} of the questions with an answer keep a relevant passage"
    if false is not None:
        effect += f", and {false:.0%} of those without are answered"
    else:
        effect += "; the dataset has no question without an answer, so nothing is known of false answers"
    effect += f"; {precision:.0%} of the passages used are relevant"
    if threshold is None:
        return Proposal(
            used, kept, precision, false, False, f"no clean separation: no threshold gives {wished}; {effect}"
        )
    lead = "" if clean else "no clean separation: "
    return Proposal(used, kept, precision, false, clean, f"{lead}{wished}: {effect}")


def _thresholds(asked: Sequence[Asked]) -> list[float]:
    """Where something changes: just above the best passage of some question; and none at all."""
    bests = sorted({_best(one) for one in asked})
    return [0.0, *(float(np.nextafter(round(best, 4) + 1e-4, 1.0)) for best in bests if best < 1.0 - 1e-3)]


def _keeping(asked: Sequence[Asked]) -> float:
    best = [one.relevance[one.relevant].max() for one in asked if one.answerable and one.relevant.any()]
    # Rounded down: the question at the border is kept.
    return float(np.floor(np.quantile(best, LOST, method="lower") * 1e4) / 1e4)


def _best(one: Asked) -> float:
    """What decides whether it is answered."""
    if one.found is not None:
        return one.found
    return float(one.relevance.max()) if len(one.relevance) else 0.0


def _answered(asked: Sequence[Asked], threshold: float) -> float:
    return _share([_best(one) >= threshold for one in asked if one.answerable]) or 0.0


def _kept(asked: Sequence[Asked], threshold: float) -> float:
    """Of those whose answer was among the candidates: no threshold brings back what was never found."""
    found = [one for one in asked if one.relevant.any()]
    return _share([one.relevance[one.relevant].max() >= threshold for one in found]) or 0.0


def _false(asked: Sequence[Asked], threshold: float) -> float | None:
    return _share([_best(one) >= threshold for one in asked if not one.answerable])


def _precision(asked: Sequence[Asked], threshold: float, top_k: int) -> float:
    used = [(one.relevant[i]) for one in asked for i in _used(one, threshold, top_k)]
    return _share(used) or 0.0


def _used(one: Asked, threshold: float, top_k: int) -> list[int]:
    order = np.argsort(-one.relevance, kind="stable").tolist()
    rule = Rule(top_k, threshold)
    return [order[i] for i in keep_by_relevance(one.relevance[order].tolist(), rule)]


def _share(values: Sequence[bool] | Sequence[np.bool_]) -> float | None:
    return float(np.mean(values)) if len(values) else None
