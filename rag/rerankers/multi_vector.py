"""Token vectors by a sentence-transformers MultiVectorEncoder: any name or folder."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from rag import token_bits
from rag.errors import ModelError
from rag.types import Floats, QuestionVectors


class MultiVectorTokens:
    def __init__(self, model: str, device: str | None) -> None:
        from sentence_transformers import MultiVectorEncoder  # seconds: only where a config names it

        try:
            self._model = MultiVectorEncoder(model, device=device)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"reranker.model {model!r} could not be loaded: {error}") from error
        self._lock = Lock()

    def embed_question(self, text: str) -> QuestionVectors:
        with self._lock:
            tokens = np.asarray(self._model.encode_query([text], convert_to_numpy=True)[0], np.float32)
        return QuestionVectors(tokens.mean(axis=0), token_bits.rotate(tokens))

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]:
        with self._lock:
            found = self._model.encode_document(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return [token_bits.rotate(np.asarray(tokens, np.float32)) for tokens in found]
