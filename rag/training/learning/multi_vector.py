"""A multi-vector model (ColBERT and its kin) as a student: its own prompts, masks and projection stay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.training.learning.batches import Batch
from rag.training.learning.device import autocast, load, without_dropout
from rag.training.learning.losses import contrast, maxsim
from rag.training.recipe import Recipe
from rag.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

_TOGETHER = 16


class MultiVectorStudent:
    def __init__(self, folder: Path, recipe: Recipe, device: str | None) -> None:
        import torch
        from sentence_transformers import MultiVectorEncoder

        self.network = without_dropout(load(MultiVectorEncoder, folder, device))
        start = torch.tensor(math.log(recipe.temperature), device=self.network.device)
        self._temperature = torch.nn.Parameter(start)
        self.temperatures = (self._temperature,)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        with autocast(self.network.device.type):
            asked = self._tokens(batch.questions, "query")
            late = maxsim(asked, self._tokens([text.reading for text in batch.passages], "document"))
        return {"late": contrast(late * self._temperature.exp(), batch.right, batch.hidden)}

    def scores(self, question: str, passages: Sequence[str]) -> tuple[Floats, Floats | None]:
        import torch

        with torch.inference_mode(), autocast(self.network.device.type):
            late = maxsim(self._tokens([question], "query"), self._tokens(passages, "document"))[0]
        return np.asarray(late.float().cpu().numpy(), dtype=np.float32), None

    def save(self, folder: Path) -> None:
        self.network.save(str(folder), create_model_card=False)

    def _tokens(self, texts: Sequence[str], task: str) -> list[Tensor]:
        """As the model itself encodes questions and documents, of unit length, in the order given."""
        from torch.nn.functional import normalize

        prompt = self.network.prompts.get(task) or None
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        found: dict[int, Tensor] = {}
        for at in range(0, len(order), _TOGETHER):
            places = order[at : at + _TOGETHER]
            features = self.network.preprocess([texts[i] for i in places], prompt=prompt, task=task)
            features = {
                name: value.to(self.network.device) if hasattr(value, "to") else value
                for name, value in features.items()
            }
            out = self.network(features, task=task)
            for row, i in enumerate(places):
                mask = out["attention_mask"][row].bool()
                # A passage of nothing but what the model passes over still has one token.
                kept = out["token_embeddings"][row][mask if mask.any() else slice(0, 1)]
                found[i] = normalize(kept.float(), dim=-1)
        return [found[i] for i in range(len(texts))]
