"""A BERT, RoBERTa or XLM-RoBERTa body as its files describe it, read without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.errors import ModelError, RagError
from rag.models.folder import weights_hash
from rag.models.soundness import REMEDY, damaged, read_described
from rag.services.validation import first_problem
from rag.types import Floats

Pooling = Literal["mean", "cls"]

_PLACES = "embeddings.position_embeddings.weight"
_GELU = {"gelu": "ERF", "gelu_new": "TANH", "gelu_pytorch_tanh": "TANH"}
_FAMILIES = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta."}


@dataclass(frozen=True)
class Bert:
    folder: Path
    family: str
    hidden: int
    heads: int
    layers: int
    epsilon: float
    gelu: str
    # RoBERTa counts positions from behind its padding token's number.
    first_position: int
    # Questions and passages are told apart by BERT only.
    types: int
    # A file of weights that replace the folder's own, and of heads that it has not.
    over: Path | None = None

    @cached_property
    def _weights(self) -> dict[str, Any]:
        """The open file that each weight is read from."""
        from safetensors import safe_open

        files = [self.folder / "model.safetensors", *([self.over] if self.over else [])]
        opened: list[Any] = [safe_open(str(file), "numpy") for file in files]
        return {name: file for file in opened for name in file.keys()}  # noqa: SIM118 - it is no dict

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self._weights)

    @cached_property
    def _prefix(self) -> str:
        """A body under a head has its family's name before its weights."""
        prefix = _FAMILIES[self.family]
        return prefix if f"{prefix}embeddings.word_embeddings.weight" in self.names else ""

    def body(self, name: str) -> Floats:
        return self.head(self._prefix + name)

    def rows(self, name: str) -> int:
        whole = self._prefix + name
        return int(self._weights[whole].get_slice(whole).get_shape()[0])

    def head(self, name: str) -> Floats:
        return np.asarray(self._weights[name].get_tensor(name), np.float32)


def network_hash(folder: Path) -> str:
    """Stands for the weights and for the shape that they are put into."""
    shape = (folder / "config.json").read_bytes()
    return hashlib.sha256(weights_hash(folder).encode() + shape).hexdigest()[:16]


def why_not_bert(folder: Path) -> str:
    """The reason why this model cannot be read here; empty where it can."""
    config = read_described(folder / "config.json")
    if (family := config.get("model_type")) not in _FAMILIES:
        return f"its model_type is {family!r}, not one of {', '.join(_FAMILIES)}"
    if config.get("hidden_act") not in _GELU:
        return f"its hidden_act is {config.get('hidden_act')!r}, not gelu"
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        return "its positions or its attention are of another kind"
    if not (folder / "model.safetensors").exists():
        return "it has no model.safetensors"
    return _why_not_read(folder)


def _why_not_read(folder: Path) -> str:
    bert = read_bert(folder)
    try:
        bert.body("embeddings.LayerNorm.weight")
    except Exception as error:  # noqa: BLE001 - safetensors raises its own kind, numpy another for bfloat16
        return f"its weights cannot be read without torch ({error})"
    return ""


def read_bert(folder: Path) -> Bert:
    config = read_described(folder / "config.json")
    try:
        roberta = config["model_type"] != "bert"
        return Bert(
            folder=folder,
            family=config["model_type"],
            hidden=int(config["hidden_size"]),
            heads=int(config["num_attention_heads"]),
            layers=int(config["num_hidden_layers"]),
            epsilon=float(config["layer_norm_eps"]),
            gelu=_GELU[config["hidden_act"]],
            first_position=int(config.get("pad_token_id", 1)) + 1 if roberta else 0,
            types=1 if roberta else int(config.get("type_vocab_size", 2)),
        )
    except KeyError as error:
        raise ModelError(f"{folder / 'config.json'} does not say {error}") from error
    except (TypeError, ValueError) as error:
        raise damaged(folder / "config.json", error) from error


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """While a network is made of a folder's weights: what does not fit together is told as one thing."""
    try:
        yield
    except RagError:
        raise
    except KeyError as error:
        raise damaged(
            folder / "model.safetensors", f"it has no {error}, which config.json promises"
        ) from error
    except Exception as error:  # OpenVINO's, numpy's and those of the file's library
        raise ModelError(
            f"the weights in {folder} do not fit its config.json: {first_problem(error)[:300]}; {REMEDY}"
        ) from error


def check_vocabulary(bert: Bert, tokens: int, window: int) -> None:
    """A token or a place that has no row would be read from anywhere."""
    words, places = bert.rows("embeddings.word_embeddings.weight"), bert.rows(_PLACES)
    if tokens > words:
        raise damaged(bert.folder / "tokenizer.json", f"it knows {tokens:,} tokens, the weights {words:,}")
    if window > places:
        raise damaged(
            bert.folder / "config.json", f"it reads {window:,} tokens, and the weights have {places:,} places"
        )
