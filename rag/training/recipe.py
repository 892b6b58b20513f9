"""How a model is trained: every number that decides what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """The defaults were chosen on held-out training questions of two collections (docs/training.md).

    `questions`, `wrong`: a step reads so many questions, each with one passage that answers it and so many
    mined ones that do not; all passages of the step count as wrong for all its other questions. `pairs`: and
    so many titles of the collection with what stands under them, each beside `pair_wrong` mined passages; of
    all titles `titles` are drawn. `dense`: the weight of the loss on the
    vectors beside that on the tokens. `temperature` is where the learned one starts.
    """

    rate: float = 3e-5
    epochs: float = 3.0
    questions: int = 12
    wrong: int = 3
    pairs: int = 6
    pair_wrong: int = 2
    titles: int = 1500
    tokens: int = 160
    question_tokens: int = 64
    dense: float = 1.0
    temperature: float = 30.0
    warmup: float = 0.1
    decay: float = 0.01
    most_right: int = 8
    depth: int = 30
    held_depth: int = 20
    margin: float = 2.0
    evaluations: int = 3
    patience: int = 2
    shares: tuple[float, ...] = (0.5, 0.75)
    seed: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Recipe:
        """The defaults but for what is given."""
        return replace(cls(), **given)
