"""A cross-encoder on the runtime that suits it: a question and texts in, raw logits out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rag.errors import ModelError
from rag.models.choice import Choice, Precision, Runtime, choose
from rag.models.folder import modules, reading_window
from rag.models.once import once
from rag.models.queue import Engine, SharedQueue
from rag.models.soundness import read_described
from rag.models.tokenizer import load_tokenizer, marked, room_for_passage


class CrossEncoder(Protocol):
    def score(
        self, question: str, texts: Sequence[str], window: int | None, batch_tokens: int
    ) -> tuple[list[float], int]:
        """A raw logit for each text, and how many of them were cut to the window."""
        ...


class QueuedCrossEncoder:
    """Pairs of several questions at a time go through the model together."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._window = reading_window(folder)
        self._queue = SharedQueue(engine)

    def score(
        self, question: str, texts: Sequence[str], window: int | None, batch_tokens: int
    ) -> tuple[list[float], int]:
        tokenizer = load_tokenizer(self._folder)
        asked = tokenizer.encode(question, add_special_tokens=False)
        room = room_for_passage(
            len(asked), min(window or self._window, self._window), tokenizer.num_special_tokens_to_add(True)
        )
        passages = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        cut = sum(len(passage) > room for passage in passages)
        pairs = [marked(tokenizer, asked, passage, room) for passage in passages]
        return [float(logit) for (logit,) in self._queue.run(pairs, batch_tokens)], cut


def choose_for_pairs(folder: Path, runtime: Runtime, precision: Precision, device: str | None) -> Choice:
    _check_head(folder)
    return choose(runtime, precision, device, folder, _why_not(folder))


def _load(folder: Path, runtime: Runtime, precision: Precision, device: str | None) -> CrossEncoder:
    choice = choose_for_pairs(folder, runtime, precision, device)
    return choice.file.cross_encoder(folder, device, choice.precision)


load_cross_encoder = once(_load)


def _check_head(folder: Path) -> None:
    """A model without a head would get one of random numbers from sentence-transformers, with a log line."""
    config = read_described(folder / "config.json")
    if not config:
        raise ModelError(f"{folder} has no config.json")
    architecture = (config.get("architectures") or [""])[0]
    if architecture and not _scores(architecture):
        raise ModelError(f"it is a {architecture}, no cross-encoder: it has no head that scores")
    labels = len(config.get("id2label") or ()) or config.get("num_labels", 2)
    if architecture.endswith("ForSequenceClassification") and labels != 1:
        raise ModelError(f"it has {labels} labels; a reranker has one")


def _scores(architecture: str) -> bool:
    # Rerankers made of language models take their score from the next word.
    return architecture.endswith(("ForSequenceClassification", "ForCausalLM", "ForConditionalGeneration"))


def _why_not(folder: Path) -> str:
    kinds = [str(step.get("type", "")).rsplit(".", 1)[-1] for step in modules(folder)]
    if other := [kind for kind in kinds if kind != "Transformer"]:
        return f"it has a step of the kind {other[0]}"
    if not (folder / "tokenizer.json").exists():
        return "it has no tokenizer.json"
    return ""
