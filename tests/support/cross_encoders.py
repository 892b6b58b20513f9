"""A cross-encoder made on the spot, of the right shape and without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rag.models.folder import BUNDLED_NAME, find_model
from rag.parts import Parts
from rag.rerankers.cross_encoder import CrossEncoderReranker, CrossEncoderSettings
from rag.types import Floats


def made(folder: Path, labels: int) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    body = str(find_model(BUNDLED_NAME, None))
    untrained = AutoModelForSequenceClassification.from_pretrained(body, num_labels=labels)
    with torch.no_grad():
        untrained.classifier.weight.copy_(torch.from_numpy(_head(labels)))
    untrained.save_pretrained(folder)
    AutoTokenizer.from_pretrained(body).save_pretrained(folder)
    return folder


def _head(labels: int) -> Floats:
    """Large enough for logits outside of 0..1."""
    return np.random.RandomState(5).standard_normal((labels, 384)).astype(np.float32)


def build(model: Path | str, **settings: object) -> CrossEncoderReranker:
    given = {"kind": "cross-encoder", "model": str(model), "precision": "fp32", **settings}
    return CrossEncoderSettings.model_validate(given).build(Parts(None, None))  # type: ignore[arg-type]  # it takes neither
