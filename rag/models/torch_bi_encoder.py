"""Models by sentence-transformers on torch: every architecture, every device."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rag.errors import ModelError
from rag.models import token_bits
from rag.models.choice import Precision
from rag.models.queue import Outputs
from rag.models.tokens import Batch

if TYPE_CHECKING:
    from torch.nn import Module

M = TypeVar("M", bound="Module")


class TorchSentences:
    """A bi-encoder: vectors, and its token vectors in the frame that bits are taken in."""

    def __init__(self, folder: Path, device: str | None, precision: Precision) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer  # 4 s: only when a text must be encoded
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
        try:
            model = SentenceTransformer(str(folder), device=device)
        except Exception as error:  # whatever three libraries raise over whatever the files hold
            raise ModelError(f"model folder {folder} could not be loaded: {error}") from error
        self._model = in_precision(model, model.device.type, precision)
        self._lock = Lock()

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        import torch

        features = {"input_ids": batch.ids, "attention_mask": batch.mask}
        with self._lock, torch.inference_mode():
            out = self._model({k: torch.from_numpy(v).to(self._model.device) for k, v in features.items()})
            vectors = out["sentence_embedding"].float().cpu().numpy()
            tokens = out["token_embeddings"].float().cpu().numpy()
        done((vectors, (tokens @ token_bits.rotation(tokens.shape[-1])).astype(np.float32)))


def in_precision(model: M, device: str, precision: Precision) -> M:
    wanted = precision == "bf16" or (precision == "auto" and computes_bf16(device))
    return model.bfloat16() if wanted else model


def computes_bf16(device: str) -> bool:
    """Emulated bf16 is slower than fp32; only units of its own make it worth while."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
