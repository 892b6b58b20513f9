"""Cross-encoders by sentence-transformers on torch: every architecture, every device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from rag.errors import ModelError
from rag.models.choice import Precision
from rag.models.tokenizer import room_for_passage
from rag.models.torch_bi_encoder import in_precision


class TorchPairs:
    def __init__(self, folder: Path, device: str | None, precision: Precision) -> None:
        from sentence_transformers import CrossEncoder  # 4 s: only where nothing faster reads the model
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
        try:
            model: CrossEncoder = CrossEncoder(str(folder), device=device)
        except Exception as error:  # whatever three libraries raise over whatever the files hold
            raise ModelError(f"it could not be loaded: {error}") from error
        _check(model)
        self._model = in_precision(model, model.device.type, precision)
        # Fast tokenizers raise "Already borrowed" when threads share them.
        self._lock = Lock()

    def score(
        self, question: str, texts: Sequence[str], window: int | None, batch_tokens: int
    ) -> tuple[list[float], int]:
        limit = self._model.max_seq_length or 512
        width = min(window or limit, limit)
        with self._lock:
            fitted = self._fit(question, texts, width)
            values = self._predict(question, [text for text, _ in fitted], max(1, batch_tokens // width))
        return values, sum(was_cut for _, was_cut in fitted)

    def _fit(self, question: str, texts: Sequence[str], window: int) -> list[tuple[str, bool]]:
        """Each passage within what the question leaves of the window, and whether it was cut."""
        tokenizer = self._model.tokenizer
        asked = len(tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
        room = room_for_passage(asked, window, tokenizer.num_special_tokens_to_add(pair=True))
        encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [
            (text, False) if len(offsets) <= room else (text[: offsets[room - 1][1]], True)
            for text, offsets in zip(texts, encoded["offset_mapping"], strict=True)
        ]

    def _predict(self, question: str, texts: Sequence[str], batch_size: int) -> list[float]:
        import torch

        # Identity: some models ship a sigmoid, some do not; the calibration applies the only one.
        # predict sorts by length itself and returns scores in the order given.
        scores: Any = self._model.predict(
            [(question, text) for text in texts],
            batch_size=batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return [float(score) for score in scores]


def _check(model: Any) -> None:
    """The library puts a head of random numbers on any model that has none, and says so in a log."""
    network = type(model.transformers_model).__name__
    trained = getattr(model.config, "architectures", None)
    if network.endswith("ForSequenceClassification") and trained and network not in trained:
        raise ModelError(f"it is a {trained[0]}, no cross-encoder: it has no head that scores")
    if model.num_labels != 1:
        raise ModelError(f"it has {model.num_labels} labels; a reranker has one")
