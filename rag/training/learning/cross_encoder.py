"""A cross-encoder as a student: of a question's own passages the right one shall score highest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import ModelError
from rag.training.learning.batches import Batch
from rag.training.learning.device import autocast, load, without_dropout
from rag.training.learning.losses import NEVER
from rag.training.recipe import Recipe
from rag.types import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

# Passages read together at most, when scoring.
_TOGETHER = 16


class CrossEncoderStudent:
    """A pair costs a whole pass, so a question does not meet the passages of all others, as it does for
    nothing where tokens are compared: only its own mined ones, and its neighbour's right one."""

    def __init__(self, folder: Path, recipe: Recipe, device: str | None) -> None:
        from sentence_transformers import CrossEncoder

        self.network = without_dropout(load(CrossEncoder, folder, device))
        if self.network.num_labels != 1:
            raise ModelError(
                f"reranker.model {folder} has {self.network.num_labels} labels; a reranker has one"
            )
        self._recipe = recipe
        self.temperatures: tuple[Parameter, ...] = ()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        import torch
        from torch.nn.functional import cross_entropy

        groups = [_group(batch, row) for row in range(len(batch.questions))]
        pairs = [
            (batch.questions[row], batch.passages[place].reading)
            for row, group in enumerate(groups)
            for place in group
        ]
        scores = torch.split(self._scores(pairs), [len(group) for group in groups])
        longest = max(map(len, groups))
        padded = [torch.nn.functional.pad(row, (0, longest - len(row)), value=NEVER) for row in scores]
        first = torch.zeros(len(groups), dtype=torch.long, device=padded[0].device)
        return {"pairs": cross_entropy(torch.stack(padded), first)}

    def scores(self, question: str, passages: Sequence[str]) -> tuple[Floats, Floats | None]:
        import torch

        found = []
        with torch.inference_mode():
            for at in range(0, len(passages), _TOGETHER):
                found.append(self._scores([(question, text) for text in passages[at : at + _TOGETHER]]))
            return np.asarray(torch.cat(found).cpu().numpy(), dtype=np.float32), None

    def save(self, folder: Path) -> None:
        self.network.save(str(folder), create_model_card=False)

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> Tensor:
        """Raw logits: no activation, as the reranker asks for them."""
        limit = self._recipe.tokens + self._recipe.question_tokens
        features = self.network.tokenizer(
            [question for question, _ in pairs],
            [text for _, text in pairs],
            truncation="only_second",
            max_length=min(limit, self.network.max_seq_length or limit),
            padding=True,
            return_tensors="pt",
        ).to(self.network.device)
        with autocast(self.network.device.type):
            logits: Tensor = self.network.transformers_model(**features).logits
        return logits.float().reshape(-1)


def _group(batch: Batch, row: int) -> list[int]:
    """The right passage first, then those mined for it, then a stranger."""
    start = batch.right[row]
    end = batch.right[row + 1] if row + 1 < len(batch.right) else len(batch.passages)
    strangers = [batch.right[(row + 1) % len(batch.right)]]
    wrong = [place for place in (*range(start + 1, end), *strangers) if place != start]
    return [start, *(place for place in dict.fromkeys(wrong) if place not in batch.hidden[row])]
