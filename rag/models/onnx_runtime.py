"""Models by onnxruntime on the CPU: the model's own ONNX file, or one that torch writes once.

It reads families that OpenVINO's graphs do not know (DeBERTa, ModernBERT), on Macs with Intel's
processors too, where OpenVINO has no package; a question then needs no torch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models import token_bits
from rag.models.bert import Pooling
from rag.models.choice import Precision
from rag.models.compiled import kept
from rag.models.cross_encoder import QueuedCrossEncoder
from rag.models.folder import weights_hash
from rag.models.queue import Outputs
from rag.models.tokens import Batch
from rag.types import Floats

Task = Literal["sentences", "pairs"]

TAKES_ALL = False
AUTO = 0
PRECISIONS = frozenset({"fp32"})

_OPSET = 17


def obstacle(device: str | None, folder: Path) -> str:
    return "" if device in (None, "cpu") else f"device is {device!r}, and onnx runs on the CPU here"


def bi_encoder(folder: Path, pooling: Pooling, device: str | None, precision: Precision) -> OnnxSentences:
    return OnnxSentences(folder, pooling)


def cross_encoder(folder: Path, device: str | None, precision: Precision) -> QueuedCrossEncoder:
    return QueuedCrossEncoder(folder, OnnxPairs(folder))


class OnnxSentences:
    """Pools and turns into the frame of the token bits what the network gives."""

    def __init__(self, folder: Path, pooling: Pooling) -> None:
        self._run = _Network(folder, "sentences")
        self._pooling = pooling

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        hidden = self._run(batch)
        vectors = hidden[:, 0] if self._pooling == "cls" else _mean(hidden, batch)
        done((vectors, hidden @ token_bits.rotation(hidden.shape[-1])))


class OnnxPairs:
    def __init__(self, folder: Path) -> None:
        self._run = _Network(folder, "pairs")

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        done((self._run(batch)[:, 0],))


class _Network:
    def __init__(self, folder: Path, task: Task) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # it ships no types

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            content = _content(folder, task)
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except ConfigError:
            raise
        except Exception as error:
            raise ModelError(f"the ONNX form of the model in {folder} cannot be used: {error}") from error
        self._inputs = [given.name for given in self._session.get_inputs()]

    def __call__(self, batch: Batch) -> Floats:
        known = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
        found: Floats = self._session.run(None, {name: known[name] for name in self._inputs})[0]
        return found


def _content(folder: Path, task: Task) -> str | bytes:
    """The path of the model's own file, or of the one that is kept; its bytes where none can be kept."""
    for own in (folder / "onnx" / "model.onnx", folder / "model.onnx"):
        if own.exists():
            return str(own)
    made: list[bytes] = []

    def make() -> bytes:
        made.append(_exported(folder, task))
        return made[0]

    path = kept(f"{task}-{weights_hash(folder)[:16]}-{_OPSET}.onnx", make)
    return str(path) if path else (made or [_exported(folder, task)])[0]


def _exported(folder: Path, task: Task) -> bytes:
    if find_spec("onnx") is None:
        raise ConfigError(
            f"runtime onnx: the model in {folder} has no ONNX file of its own, and writing one needs onnx: "
            "pip install onnx, or choose runtime: auto"
        )
    from tempfile import TemporaryDirectory

    import torch

    network = _Exportable(folder, task)
    example = torch.ones(2, 9, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    with TemporaryDirectory() as work, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, and of what later versions will do
        torch.onnx.export(
            network.module,
            (example,) * len(network.inputs),
            os.path.join(work, "model.onnx"),
            input_names=network.inputs,
            output_names=["out"],
            dynamic_axes=dict.fromkeys((*network.inputs, "out"), axes),
            opset_version=_OPSET,
            dynamo=False,
        )
        return Path(work, "model.onnx").read_bytes()


class _Exportable:
    """The network with plain attention, which every exporter can write."""

    def __init__(self, folder: Path, task: Task) -> None:
        import torch
        from transformers import AutoModel, AutoModelForSequenceClassification

        kind: Any = AutoModel if task == "sentences" else AutoModelForSequenceClassification
        body = kind.from_pretrained(str(folder), attn_implementation="eager", dtype=torch.float32).eval()
        output = "last_hidden_state" if task == "sentences" else "logits"
        # RoBERTa's configuration may know two types; its tokenizer never tells the second.
        typed = getattr(body.config, "type_vocab_size", 1) > 1 and "roberta" not in body.config.model_type
        self.inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])]
        names = self.inputs

        class Network(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body = body

            def forward(self, *given: torch.Tensor) -> Any:
                return getattr(self.body(**dict(zip(names, given, strict=True))), output)

        self.module = Network()


def _mean(hidden: Floats, batch: Batch) -> Floats:
    weights = batch.mask[:, :, np.newaxis].astype(np.float32)
    means: Floats = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    return means
