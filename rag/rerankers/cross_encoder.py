"""Cross-encoders by sentence-transformers: any name or folder, read as raw logits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PositiveInt

from rag.errors import InputError, ModelError
from rag.rerankers.base import Parts, RerankerSettings
from rag.rerankers.fields import reading
from rag.types import Candidate, Question, RerankerCard, Scores

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# A passage cut to fewer tokens than this says too little to be judged.
_LEAST_PASSAGE = 32


class CrossEncoderSettings(RerankerSettings, frozen=True):
    kind: Literal["cross-encoder"]
    model: str = "cross-encoder/ms-marco-MiniLM-L6-v2"
    revision: str | None = None
    device: str | None = None
    batch_size: PositiveInt = 8
    max_length: PositiveInt | None = None

    def build(self, parts: Parts) -> CrossEncoderReranker:
        return CrossEncoderReranker(self)


class CrossEncoderReranker:
    def __init__(self, settings: CrossEncoderSettings) -> None:
        self.card = RerankerCard("cross-encoder", settings.model)
        self._settings = settings
        self._model = _load(settings.model, settings.revision, settings.device)
        limit = self._model.max_seq_length or 512
        self._window = min(settings.max_length or limit, limit)
        # Fast tokenizers raise "Already borrowed" when threads share them.
        self._lock = Lock()

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        if not candidates:
            return Scores(())
        texts = [reading(candidate.chunk, self._settings.fields) for candidate in candidates]
        with self._lock:
            fitted = self._fit(question.text, texts)
            values = self._predict(question.text, [text for text, _ in fitted])
        return Scores(values, truncated=sum(was_cut for _, was_cut in fitted))

    def _fit(self, question: str, texts: Sequence[str]) -> list[tuple[str, bool]]:
        """Each passage within what the question leaves of the window, and whether it was cut.

        The library would cut the longer of the two, which may be the question.
        """
        tokenizer = self._model.tokenizer
        asked = len(tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
        free = self._window - tokenizer.num_special_tokens_to_add(pair=True)
        room = free - asked
        if room < _LEAST_PASSAGE:
            raise InputError(
                f"the question has {asked} tokens; {self.card.model} reads {self._window} with the passage: "
                f"ask in at most {free - _LEAST_PASSAGE} or choose a reranker with a longer window"
            )
        encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [
            (text, False) if len(offsets) <= room else (text[: offsets[room - 1][1]], True)
            for text, offsets in zip(texts, encoded["offset_mapping"], strict=True)
        ]

    def _predict(self, question: str, texts: Sequence[str]) -> tuple[float, ...]:
        import torch

        # Identity: some models ship a sigmoid, some do not; the calibration applies the only one.
        # predict sorts by length itself and returns scores in the order given.
        scores: Any = self._model.predict(
            [(question, text) for text in texts],
            batch_size=self._settings.batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return tuple(float(score) for score in scores)


@lru_cache(maxsize=4)
def _load(model: str, revision: str | None, device: str | None) -> CrossEncoder:
    """Loaded once a process, however many pipelines use it."""
    from sentence_transformers import CrossEncoder  # 4 s: only where a config names it
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
    try:
        loaded: CrossEncoder = CrossEncoder(model, revision=revision, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"reranker.model {model!r} could not be loaded: {error}") from error
    _check(model, loaded)
    return loaded


def _check(name: str, model: CrossEncoder) -> None:
    """The library puts a head of random numbers on any model that has none, and says so in a log."""
    network = type(model.transformers_model).__name__
    trained = getattr(model.config, "architectures", None)
    if network.endswith("ForSequenceClassification") and trained and network not in trained:
        raise ModelError(
            f"reranker.model {name!r} is a {trained[0]}, no cross-encoder: it has no head that scores"
        )
    if model.num_labels != 1:
        raise ModelError(f"reranker.model {name!r} has {model.num_labels} labels; a reranker has one")
