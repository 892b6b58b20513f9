"""A model with two heads on one pass: whether a passage answers a question, and which of its words do.

Its folder holds what differs from the bundled embedder: the layers that were trained and the heads. The
rest is the embedder's own, whose weights lie on every machine that has rag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import ModelError
from rag.models.bert import Bert, read_bert
from rag.models.choice import Choice, Precision, choose
from rag.models.folder import BUNDLED_NAME, find_model, reading_window, weights_hash
from rag.models.once import once
from rag.models.queue import Engine, SharedQueue
from rag.models.soundness import read_described
from rag.models.tokenizer import load_tokenizer, marked, room_for_passage
from rag.types import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding

    from rag.models.queue import Outputs

    Ints = NDArray[np.int64]

# The record beside the weights: what they were learned from, and upon which body.
RECORD = "reader.json"
WEIGHTS = "model.safetensors"


class ReadingModel:
    """Pairs of several questions at a time go through the model together."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        body = find_model(BUNDLED_NAME, None)
        self._tokenizer = load_tokenizer(body)
        self._window = reading_window(body)
        self._queue = SharedQueue(_engine(merged(folder, body), choice))

    def read(self, question: str, texts: Sequence[str], batch_tokens: int) -> list[Reading]:
        asked = self._tokenizer.encode(question, add_special_tokens=False)
        markers = self._tokenizer.num_special_tokens_to_add(True)
        room = room_for_passage(len(asked), self._window, markers)
        passages = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        pairs = [marked(self._tokenizer, asked, passage, room) for passage in passages]
        outputs = self._queue.run(pairs, batch_tokens)
        # Before the passage stand a marker, the question, and another marker.
        return [_reading(p, found, len(asked) + 2) for p, found in zip(passages, outputs, strict=True)]


def choose_for_reading(precision: Precision) -> Choice:
    """On the CPU even beside a GPU: five passages are no work for one, and torch takes seconds to load."""
    return choose("auto", precision, "cpu", find_model(BUNDLED_NAME, None))


def _load(folder: Path, precision: Precision) -> ReadingModel:
    return ReadingModel(folder, choose_for_reading(precision))


load_reading = once(_load)


def merged(folder: Path, body: Path) -> Bert:
    """The body with the weights of this folder in place of its own, both checked byte for byte."""
    record = read_described(folder / RECORD)
    for said, place in (("body", body), ("weights", folder)):
        if (found := weights_hash(place)) != (wanted := str(record.get(said))):
            raise ModelError(
                f"the weights in {place} have sha256 {found[:16]}…, {folder / RECORD} says {wanted[:16]}…: "
                "they are damaged, or belong to another edition; install rag anew, or train the reader anew"
            )
    return replace(read_bert(body), over=folder / WEIGHTS)


def _engine(bert: Bert, choice: Choice) -> Engine:
    if choice.runtime == "torch":
        from rag.models.torch_reading import TorchReading

        return TorchReading(bert)
    from rag.models.openvino import OpenVinoEngine

    def graph() -> Any:
        from rag.models.graph import reading_graph

        return reading_graph(bert)

    return OpenVinoEngine(f"reading-{_network(bert)}", graph, choice.precision)


def _network(bert: Bert) -> str:
    assert bert.over is not None
    parts = weights_hash(bert.folder) + weights_hash(bert.over.parent)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _reading(passage: Encoding, outputs: Outputs, first: int) -> Reading:
    logit, marks = outputs
    starts, ends = np.array(passage.offsets, np.int64).reshape(-1, 2).T
    return Reading(float(logit), starts, ends, marks[first : first + len(starts)])
