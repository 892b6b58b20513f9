"""Bi-encoders by sentence-transformers: any name or folder; all-MiniLM-L6-v2 without a hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, PositiveInt

from rag import token_bits
from rag.embedders.folder import BUNDLED_NAME, describe, find_model
from rag.errors import ModelError
from rag.types import EmbedderCard, Floats, PassageVectors, QuestionVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer


Precision = Literal["auto", "fp32", "bf16"]


class SentenceTransformersSettings(BaseModel, frozen=True, extra="forbid"):
    """precision: auto takes bf16 where the processor computes in it (twice as fast, cosine to fp32
    above 0.9999), fp32 elsewhere. batch_tokens: padded tokens a batch.
    """

    kind: Literal["sentence-transformers"] = "sentence-transformers"
    model: str = BUNDLED_NAME
    revision: str | None = None
    device: str | None = None
    question_prompt: str | None = None
    passage_prompt: str | None = None
    token_bits: bool = True
    precision: Precision = "auto"
    batch_tokens: PositiveInt = 1024

    def build(self) -> SentenceTransformersEmbedder:
        return SentenceTransformersEmbedder(self)


class SentenceTransformersEmbedder:
    """One pass of the model gives the passage vector and the token vectors.

    The card comes from the model's files: torch is imported when the first text must be encoded,
    so an ingest that finds nothing new never pays for it.
    """

    def __init__(self, settings: SentenceTransformersSettings) -> None:
        self._settings = settings
        self._folder = find_model(settings.model, settings.revision)
        described = describe(self._folder, settings.model, settings.question_prompt, settings.passage_prompt)
        self.card = EmbedderCard(
            described.name,
            described.revision,
            described.dimension,
            described.window,
            described.question_prompt,
            described.passage_prompt,
            tokens=settings.token_bits,
        )
        # One model owns the cores; fast tokenizers also raise "Already borrowed" when shared by threads.
        self._lock = Lock()

    def sizer(self) -> Tokenizer:
        return self._tokenizer

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        encoded = self._encode([self.card.passage_prompt + text for text in texts])
        if not self.card.tokens:
            return [PassageVectors(vector) for vector, _ in encoded]
        return [
            PassageVectors(vector, token_bits.pack(token_bits.rotate(tokens))) for vector, tokens in encoded
        ]

    def embed_question(self, text: str) -> QuestionVectors:
        return self.embed_questions([text])[0]

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        """A question longer than the window is read in pieces: it is never cut."""
        pieces = [self._windows(self.card.question_prompt + text) for text in texts]
        encoded = iter(self._encode([piece for windows in pieces for piece in windows]))
        return [self._question([next(encoded) for _ in windows]) for windows in pieces]

    def _question(self, windows: Sequence[tuple[Floats, Floats]]) -> QuestionVectors:
        weights = np.array([len(tokens) for _, tokens in windows], dtype=np.float32)
        vector = _unit(weights @ np.stack([vector for vector, _ in windows]))
        if not self.card.tokens:
            return QuestionVectors(vector)
        return QuestionVectors(vector, token_bits.rotate(np.concatenate([tokens for _, tokens in windows])))

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]:
        encoded = self._encode([self.card.passage_prompt + text for text in texts])
        return [token_bits.rotate(tokens) for _, tokens in encoded]

    @cached_property
    def _model(self) -> SentenceTransformer:
        return _load(self._folder, self._settings.device, self._settings.precision)

    def _windows(self, text: str) -> list[str]:
        room = self.card.window - 2
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= room:
            return [text]
        pieces = [offsets[at : at + room] for at in range(0, len(offsets), room)]
        return [text[piece[0][0] : piece[-1][1]] for piece in pieces]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _encode(self, texts: Sequence[str]) -> list[tuple[Floats, Floats]]:
        """Vector and token vectors of each text, in the order given."""
        with self._lock:
            found: dict[int, tuple[Floats, Floats]] = {}
            for batch in self._batches(texts):
                found.update(zip(batch, self._forward([texts[i] for i in batch]), strict=True))
            return [found[i] for i in range(len(texts))]

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Indices, longest first, so many at a time that padded they fit the budget of tokens.

        Small sorted batches are several times faster on a CPU than large mixed ones.
        """
        lengths = [len(e.ids) for e in self._tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(texts)), key=lambda i: -lengths[i])
        while order:
            longest = min(max(lengths[order[0]], 1), self.card.window)
            size = max(1, self._settings.batch_tokens // longest)
            yield order[:size]
            order = order[size:]

    def _forward(self, texts: list[str]) -> list[tuple[Floats, Floats]]:
        import torch

        features = self._model.preprocess(texts)
        features = {k: v.to(self._model.device) if hasattr(v, "to") else v for k, v in features.items()}
        with torch.inference_mode():
            out = self._model(features)
        vectors = out["sentence_embedding"].float().cpu().numpy()
        tokens = out["token_embeddings"].float().cpu().numpy()
        words = self._is_word(out["input_ids"].cpu().numpy(), out["attention_mask"].cpu().numpy())
        if not np.isfinite(vectors).all():
            raise ModelError(f"{self.card.name} returned a vector that is not finite")
        return [(_unit(v), t[w]) for v, t, w in zip(vectors, tokens, words, strict=True)]

    def _is_word(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which tokens take part in late interaction: all but padding and the model's markers."""
        tokenizer = self._model.tokenizer
        markers = [
            tokenizer.cls_token_id,
            tokenizer.sep_token_id,
            tokenizer.bos_token_id,
            tokenizer.eos_token_id,
        ]
        words = (mask > 0) & ~np.isin(ids, [m for m in markers if m is not None])
        # An empty text has markers alone: keep them, so that every passage has at least one token.
        words[~words.any(axis=1)] = mask[~words.any(axis=1)] > 0
        return words


@lru_cache(maxsize=4)
def _load(folder: Path, device: str | None, precision: Precision) -> SentenceTransformer:
    """Loaded once a process, however many pipelines use it."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from sentence_transformers import SentenceTransformer  # 4 s: only when a text must be encoded
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
    try:
        model = SentenceTransformer(str(folder), device=device)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"model folder {folder} could not be loaded: {error}") from error
    return (
        model.bfloat16() if precision == "bf16" or (precision == "auto" and _computes_bf16(model)) else model
    )


def _computes_bf16(model: SentenceTransformer) -> bool:
    """Emulated bf16 is slower than fp32; only units of its own make it worth while."""
    import torch

    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities() if model.device.type == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
