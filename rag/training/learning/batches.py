"""Which lessons a step reads: decided by the seed and the number of the step alone, so that training that was
killed goes on with the very batches it would have met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rag.training.lessons.lesson import Lesson, Text
from rag.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Batch:
    """`right`: for each question the place of the passage that answers it. `hidden`: for each question the
    places of other passages that may answer it too."""

    questions: tuple[str, ...]
    passages: tuple[Text, ...]
    right: tuple[int, ...]
    hidden: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Batches:
    """`pairs`: titles with what stands under them; they are mixed in, and do not count for an epoch."""

    lessons: Sequence[Lesson]
    pairs: Sequence[Lesson]
    recipe: Recipe

    @property
    def an_epoch(self) -> int:
        return -(-len(self.lessons or self.pairs) // self.recipe.questions)

    def batch(self, step: int) -> Batch:
        main, mixed = (self.lessons, self.pairs) if self.lessons else (self.pairs, ())
        recipe = self.recipe
        drawn = [(one, recipe.wrong) for one in self._drawn(main, step, recipe.questions, "lessons")]
        if mixed:
            drawn += [(one, recipe.pair_wrong) for one in self._drawn(mixed, step, recipe.pairs, "pairs")]
        rng = np.random.default_rng([self.recipe.seed, step])
        passages: list[Text] = []
        right = []
        for lesson, wrong in drawn:
            weights = np.array(lesson.weights)
            right.append(len(passages))
            passages.append(lesson.right[rng.choice(len(lesson.right), p=weights / weights.sum())])
            chosen = rng.permutation(len(lesson.wrong))[:wrong]
            passages += [lesson.wrong[i] for i in chosen]
        hidden = tuple(
            tuple(i for i, p in enumerate(passages) if i != place and _may_answer(p, passages[place], lesson))
            for (lesson, _), place in zip(drawn, right, strict=True)
        )
        return Batch(tuple(lesson.question for lesson, _ in drawn), tuple(passages), tuple(right), hidden)

    def _drawn(self, lessons: Sequence[Lesson], step: int, size: int, what: str) -> list[Lesson]:
        """Each lesson once before any comes again: epochs are shuffles, laid end to end."""
        first, found = step * size, []
        for place in range(first, first + size):
            epoch, at = divmod(place, len(lessons))
            found.append(lessons[_order(self.recipe.seed, what, epoch, len(lessons))[at]])
        return found


@lru_cache(maxsize=8)
def _order(seed: int, what: str, epoch: int, size: int) -> list[int]:
    salt = int.from_bytes(what.encode(), "big")
    order: list[int] = np.random.default_rng([seed, salt, epoch]).permutation(size).tolist()
    return order


def _may_answer(passage: Text, right: Text, lesson: Lesson) -> bool:
    return passage.document in lesson.answering or passage.reading == right.reading
