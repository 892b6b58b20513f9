"""Models by sentence-transformers on torch: every architecture, every device."""

from __future__ import annotations

from pathlib import Path

from rag.models.bert import Pooling
from rag.models.choice import Precision
from rag.models.torch_bi_encoder import TorchSentences
from rag.models.torch_cross_encoder import TorchPairs

TAKES_ALL = True
AUTO = 2
PRECISIONS = frozenset({"fp32", "bf16"})


def obstacle(device: str | None, folder: Path) -> str:
    return ""


def bi_encoder(folder: Path, pooling: Pooling, device: str | None, precision: Precision) -> TorchSentences:
    """It pools as the model's own steps say."""
    return TorchSentences(folder, device, precision)


def cross_encoder(folder: Path, device: str | None, precision: Precision) -> TorchPairs:
    return TorchPairs(folder, device, precision)
