"""What training would do and how long it would take: measured on a few real steps, told before it starts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from rag.training.learning.batches import Batches
from rag.training.lessons.split import Parts
from rag.training.recipe import Recipe

# Of the time that a passage takes in a step: in a look it is only read.
_READING = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """`pairs`: questions with a passage that answers them; `titles`: of the collection's own. Minutes on
    this machine; `encoding`: of the whole collection, for the verdict, and once more for your index."""

    model: str
    train: int
    stop: int
    judge: int
    synthetic: int
    pairs: int
    titles: int
    wrong: int
    epochs: float
    steps: int
    seconds_a_step: float
    training_minutes: float
    encoding_minutes: float
    passages: int

    def summary(self) -> PlanSummary:
        return PlanSummary(**asdict(self), minutes=self.training_minutes + self.encoding_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary(Plan):
    """What `--json` says: the whole time too."""

    minutes: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a step, and of all looks at held-out questions together."""

    step: float
    looks: float

    @classmethod
    def of(cls, step: float, batches: Batches, recipe: Recipe, passages: int) -> Pace:
        """`passages`: read in one look. There is one before the first step, and one for each share."""
        a_passage = step / len(batches.batch(0).passages)
        looks = 1 + recipe.evaluations + len(recipe.shares)
        return cls(step, looks * passages * a_passage * _READING)

    def steps(self, batches: Batches, recipe: Recipe, minutes: float | None) -> int:
        """The epochs wished for, or as many steps as the minutes give."""
        wished = max(1, math.ceil(batches.an_epoch * recipe.epochs))
        if minutes is None:
            return wished
        return max(1, min(wished, int((minutes * 60 - self.looks) / self.step)))


def make_plan(
    model: str,
    parts: Parts,
    batches: Batches,
    steps: int,
    pace: Pace,
    passages: int,
    encoding_seconds: float,
) -> Plan:
    everybody = (*parts.train, *parts.stop, *parts.judge)
    return Plan(
        model=model,
        train=len(parts.train),
        stop=len(parts.stop),
        judge=len(parts.judge),
        synthetic=sum(question.synthetic for question in everybody),
        pairs=sum(len(lesson.right) for lesson in batches.lessons),
        wrong=sum(len(lesson.wrong) for lesson in batches.lessons),
        titles=len(batches.pairs),
        epochs=round(steps / batches.an_epoch, 2),
        steps=steps,
        seconds_a_step=round(pace.step, 3),
        training_minutes=round((steps * pace.step + pace.looks) / 60, 1),
        encoding_minutes=round(encoding_seconds / 60, 1),
        passages=passages,
    )
