"""The embedder as a student: one pass of it gives the vectors and the tokens, and both are trained.

A loop of our own and not sentence-transformers' trainer: that has one loss for one kind of output, knows
no document whose other passages must not count as wrong, no limit of minutes, and brings a data frame
library and two more along to feed it. Its models, their folders and torch's optimizer serve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.training.learning.batches import Batch
from rag.training.learning.device import autocast, load, without_dropout
from rag.training.learning.losses import DENSE_SCALE, contrast, maxsim
from rag.training.recipe import Recipe
from rag.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

# Passages of like length that are padded together.
_TOGETHER = 16


class BiEncoder:
    def __init__(self, folder: Path, recipe: Recipe, prompts: tuple[str, str], device: str | None) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self.network = without_dropout(load(SentenceTransformer, folder, device))
        # Question words that training never meets would stay behind those it does; and a third of all weights
        # need no optimizer.
        for parameter in _word_vectors(self.network):
            parameter.requires_grad_(False)
        self._recipe = recipe
        self._prompts = prompts
        start = torch.tensor(math.log(recipe.temperature), device=self.network.device)
        self._temperature = torch.nn.Parameter(start)
        self.temperatures = (self._temperature,)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        questions, passages = self._prompts
        with autocast(self.network.device.type):
            asked, asked_vectors = self._encoded(
                [questions + text for text in batch.questions], self._recipe.question_tokens
            )
            read, read_vectors = self._encoded(
                [passages + text.reading for text in batch.passages], self._recipe.tokens
            )
            late, dense = maxsim(asked, read), asked_vectors @ read_vectors.T
        return {
            "late": contrast(late * self._temperature.exp(), batch.right, batch.hidden),
            "dense": self._recipe.dense * contrast(dense * DENSE_SCALE, batch.right, batch.hidden),
        }

    def scores(self, question: str, passages: Sequence[str]) -> tuple[Floats, Floats | None]:
        import torch

        asking, reading = self._prompts
        with torch.inference_mode(), autocast(self.network.device.type):
            asked, vector = self._encoded([asking + question], self._recipe.question_tokens)
            read, vectors = self._encoded([reading + text for text in passages], self._recipe.tokens)
            late, dense = maxsim(asked, read)[0], vectors @ vector[0]
        return _floats(late), _floats(dense)

    def save(self, folder: Path) -> None:
        self.network.save(str(folder), create_model_card=False)

    def _encoded(self, texts: Sequence[str], window: int) -> tuple[list[Tensor], Tensor]:
        """Token vectors without the markers, and vectors; all of unit length, in the order given."""
        import torch
        from torch.nn.functional import normalize

        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        tokens: dict[int, Tensor] = {}
        vectors: dict[int, Tensor] = {}
        for at in range(0, len(order), _TOGETHER):
            places = order[at : at + _TOGETHER]
            features = self._features([texts[i] for i in places], window)
            # Not the model's last steps: those after the pooling are a matter of the embedder, which makes
            # every vector of unit length.
            out = self.network(features)
            words = self._words(features)
            for row, i in enumerate(places):
                tokens[i] = normalize(out["token_embeddings"][row][words[row]].float(), dim=-1)
                vectors[i] = normalize(out["sentence_embedding"][row].float(), dim=-1)
        return [tokens[i] for i in range(len(texts))], torch.stack([vectors[i] for i in range(len(texts))])

    def _features(self, texts: Sequence[str], window: int) -> dict[str, Any]:
        limit = min(window, self.network.max_seq_length or window)
        given = self.network.tokenizer(
            list(texts), truncation=True, max_length=limit, padding=True, return_tensors="pt"
        )
        return {name: value.to(self.network.device) for name, value in given.items()}

    def _words(self, features: dict[str, Any]) -> Any:
        """Not the markers around a text, as at question time; an empty text keeps them."""
        import torch

        markers = torch.tensor(self.network.tokenizer("")["input_ids"], device=self.network.device)
        there = features["attention_mask"].bool()
        words = there & ~torch.isin(features["input_ids"], markers)
        return torch.where(words.any(dim=1, keepdim=True), words, there)


def _word_vectors(network: Any) -> Any:
    return network[0].model.get_input_embeddings().parameters()


def _floats(values: Any) -> Floats:
    return np.asarray(values.float().cpu().numpy(), dtype=np.float32)
