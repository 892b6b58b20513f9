"""What a comparison means for whoever has to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.evaluation.statistics import (
    ALPHA,
    Difference,
    questions_needed,
    questions_to_rule_out,
)

Word = Literal["adopt", "keep", "not enough questions"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`needed`: about so many questions would tell; None where it is told."""

    word: Word
    text: str
    needed: int | None = None


def judge(found: Difference, p: float, metric: str, effect: float, tests: int = 1) -> Verdict:
    """`p` is corrected for the number of tests. `effect` is the least gain that would be worth a change."""
    seen = f"{metric} {found.mean:+.3f} (95% interval {found.low:+.3f} to {found.high:+.3f}, {show_p(p)})"
    if found.questions == 0:
        return Verdict("not enough questions", "no question says which documents answer it")
    if found.ties == found.questions:
        return Verdict("keep", f"the same {metric} on every one of {found.questions} questions")
    if p <= ALPHA:
        better = found.mean > 0
        return Verdict("adopt" if better else "keep", f"{seen}: {'better' if better else 'worse'}")
    if found.high < effect:
        return Verdict("keep", f"{seen}: no gain of {effect:g} or more, which would be worth a change")
    needed = _needed(found, effect, tests)
    return Verdict(
        "not enough questions",
        f"{seen}: {found.questions} questions cannot tell; about {needed:,} would, if it goes on like this",
        needed,
    )


def _needed(found: Difference, effect: float, tests: int) -> int:
    """Whichever comes first: to find this gain, or to rule out one that matters."""
    ways = [questions_needed(found.deviation, found.mean, tests)] if found.mean else []
    if found.mean < effect:
        ways.append(questions_to_rule_out(found.deviation, found.mean, effect))
    return max(min(ways), found.questions + 1)


def show_p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
