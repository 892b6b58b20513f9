"""Token vectors by a sentence-transformers MultiVectorEncoder: any name or folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.models import token_bits
from rag.models.soundness import check_sound
from rag.types import Floats, QuestionVectors


class MultiVectorTokens:
    def __init__(
        self, model: str, device: str | None, place: str = "reranker", trusted: bool = False
    ) -> None:
        from sentence_transformers import MultiVectorEncoder  # seconds: only where a config names it

        if Path(model).is_dir():
            check_sound(Path(model), trusted)
        try:
            self._model = MultiVectorEncoder(model, device=device)
        except Exception as error:  # whatever three libraries raise over whatever the files hold
            raise ModelError(f"{place}.model {model!r} could not be loaded: {error}") from error
        if not _is_multi_vector(model):
            raise ModelError(
                f"{place}.model {model!r} is no multi-vector model: it would be read through a projection "
                "of random numbers. Name a ColBERT-like one, or leave the key out for the embedder's tokens"
            )
        self._lock = Lock()

    def embed_question(self, text: str) -> QuestionVectors:
        with self._lock:
            tokens = np.asarray(self._model.encode_query([text], convert_to_numpy=True)[0], np.float32)
        return QuestionVectors(tokens.mean(axis=0), token_bits.rotate(tokens))

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]:
        with self._lock:
            found = self._model.encode_document(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return [_at_least_one(token_bits.rotate(np.asarray(tokens, np.float32))) for tokens in found]


def _at_least_one(tokens: Floats) -> Floats:
    """These models pass over punctuation: a passage of nothing else has one token that matches nothing."""
    return tokens if len(tokens) else np.zeros((1, tokens.shape[1]), np.float32)


def _is_multi_vector(model: str) -> bool:
    """By what the model's own files say: the library loads any other kind without complaint."""
    said = _read_file(model, "config_sentence_transformers.json").get("model_type")
    return said in ("MultiVectorEncoder", "ColBERT") or "HF_ColBERT" in (
        _read_file(model, "config.json").get("architectures") or ()
    )


def _read_file(model: str, file: str) -> dict[str, Any]:
    from sentence_transformers.util import load_file_path

    path = load_file_path(model, file)
    return dict(json.loads(Path(path).read_text("utf-8"))) if path else {}
