"""A runtime that computes nothing: a text's vector counts its tokens by their ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rag.models.bert import Pooling
from rag.models.choice import Precision
from rag.models.cross_encoder import QueuedCrossEncoder
from rag.models.queue import Outputs
from rag.models.tokens import Batch

TAKES_ALL = False
AUTO = 0
PRECISIONS = frozenset({"fp32"})
_WIDTH = 384


class Counts:
    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        tokens = np.eye(_WIDTH, dtype=np.float32)[batch.ids % _WIDTH]
        done(((tokens * batch.mask[:, :, np.newaxis]).sum(axis=1), tokens))


class Lengths:
    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        done((batch.mask.sum(axis=1).astype(np.float32),))


def obstacle(device: str | None, folder: Path) -> str:
    return ""


def bi_encoder(folder: Path, pooling: Pooling, device: str | None, precision: Precision) -> Counts:
    return Counts()


def cross_encoder(folder: Path, device: str | None, precision: Precision) -> QueuedCrossEncoder:
    return QueuedCrossEncoder(folder, Lengths())
