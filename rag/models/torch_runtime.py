"""Models by sentence-transformers on torch: every architecture, every device."""

from __future__ import annotations

import sys
from pathlib import Path

from rag.models.bert import Pooling
from rag.models.choice import Precision
from rag.models.torch_bi_encoder import TorchSentences
from rag.models.torch_cross_encoder import TorchPairs
from rag.threads.forks import in_each_fork

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


def _one_thread() -> None:
    """In a fork torch's own threads are missing, and it would wait for them for ever."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


in_each_fork(_one_thread)
