"""A small BERT as files, sound or spoilt in every way that a folder can be."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from rag.models.folder import BUNDLED_NAME, find_model

_HIDDEN = 8
_WORDS = 30_522
_CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": _HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": _WORDS,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "num_labels": 1,
}


def _weights() -> dict[str, Any]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (_WORDS, _HIDDEN),
        "embeddings.position_embeddings.weight": (64, _HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, _HIDDEN),
        "pooler.dense.weight": (_HIDDEN, _HIDDEN),
        "encoder.layer.0.intermediate.dense.weight": (16, _HIDDEN),
        "encoder.layer.0.output.dense.weight": (_HIDDEN, 16),
    }
    for part in ("self.query", "self.key", "self.value", "output.dense"):
        shapes[f"encoder.layer.0.attention.{part}.weight"] = (_HIDDEN, _HIDDEN)
    for norm in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
        shapes[f"{norm}.LayerNorm.weight"] = (_HIDDEN,)
    drawn = np.random.default_rng(0)
    weights = {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    dense = [name for name in weights if "Norm" in name or ("dense" in name or "self" in name)]
    biases = {
        name.replace(".weight", ".bias"): np.zeros(weights[name].shape[0], np.float32) for name in dense
    }
    body = {f"bert.{name}": value for name, value in (weights | biases).items()}
    head = {
        "classifier.weight": np.ones((1, _HIDDEN), np.float32),
        "classifier.bias": np.zeros(1, np.float32),
    }
    return body | head


def make_sound(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    save_file(_weights(), folder / "model.safetensors")
    shutil.copy(find_model(BUNDLED_NAME, None) / "tokenizer.json", folder / "tokenizer.json")
    return folder


def change(**values: object) -> Callable[[Path], None]:
    """Of the config."""
    return lambda folder: write("config.json", json.dumps(_CONFIG | values))(folder)


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def head(entries: object, data: bytes = b"\x00" * 64) -> bytes:
    """A file of weights with this for a head."""
    said = json.dumps(entries).encode()
    return struct.pack("<Q", len(said)) + said + data


def weights(content: bytes) -> tuple[str, Callable[[Path], None]]:
    return WEIGHTS, write(WEIGHTS, content)


def entries(**said: object) -> tuple[str, Callable[[Path], None]]:
    return weights(head(said))


def named(name: str, content: str | bytes) -> tuple[str, Callable[[Path], None]]:
    return name, write(name, content)


def entry(*shape: int, at: tuple[int, int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}


def reweigh(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors")

    return damage


def halve(folder: Path) -> None:
    path = folder / "model.safetensors"
    with path.open("rb+") as stream:
        stream.truncate(path.stat().st_size // 2)


def sparse(name: str, size: int, first: bytes = b"") -> Callable[[Path], None]:
    """Of a size that no disk has to hold."""

    def damage(folder: Path) -> None:
        with (folder / name).open("wb") as stream:
            stream.write(first)
            stream.truncate(size)

    return damage


def link(name: str, target: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return damage


def pipe(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


PLACES = "bert.embeddings.position_embeddings.weight"
OUTPUT = "bert.encoder.layer.0.output.dense.weight"
WORDS = "bert.embeddings.word_embeddings.weight"
_TOKENIZER = {"version": "1.0", "model": {"type": "WordPiece", "vocab": {}, "unk_token": "[UNK]"}}

# How a folder is spoilt, and the file that the error names.
WEIGHTS = "model.safetensors"
DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a head of 2^62 bytes": weights(struct.pack("<Q", 2**62) + b"{}"),
    "a head of 90 MB": (WEIGHTS, sparse(WEIGHTS, 90_000_100, struct.pack("<Q", 90_000_000))),
    "no byte of weights": weights(b""),
    "three bytes of weights": weights(b"abc"),
    "half a file of weights": (WEIGHTS, halve),
    "weights of nothing but zeros": (WEIGHTS, sparse(WEIGHTS, 4_000_000_000)),
    "a head that is no JSON": weights(struct.pack("<Q", 4) + b"nope"),
    "a head that is deep": weights(struct.pack("<Q", 100_000) + b"[" * 100_000),
    "a head that is a list": weights(head([1, 2])),
    "offsets that overlap": (
        WEIGHTS,
        write(WEIGHTS, head({"a": entry(8, at=(0, 32)), "b": entry(8, at=(16, 48))})),
    ),
    "offsets beyond the end": entries(a=entry(2**40, at=(0, 2**42))),
    "offsets that run backwards": entries(a=entry(8, at=(32, 0))),
    "a shape that overflows": entries(a=entry(2**32, 2**32, at=(0, 64))),
    "a kind of number that is none": (
        WEIGHTS,
        write(WEIGHTS, head({"a": entry(8, at=(0, 64), dtype="F99")})),
    ),
    "weights that are a device": (WEIGHTS, link(WEIGHTS, "/dev/zero")),
    "weights that are a pipe": (WEIGHTS, pipe(WEIGHTS)),
    "weights that are nowhere": (WEIGHTS, link(WEIGHTS, "/nowhere")),
    "a weight that is missing": (
        WEIGHTS,
        reweigh(lambda w: w.pop("bert.encoder.layer.0.output.dense.weight")),
    ),
    "layers without weights": (WEIGHTS, change(num_hidden_layers=3)),
    "weights of another width": ("", reweigh(lambda w: w.update({WORDS: w[WORDS][:, :4].copy()}))),
    "weights of another shape": ("", reweigh(lambda w: w.update({OUTPUT: np.zeros((3, 3, 3))}))),
    "a vocabulary larger than its weights": (
        "tokenizer.json",
        reweigh(lambda w: w.update({WORDS: w[WORDS][:9]})),
    ),
    "more places than weights": (
        "config.json",
        reweigh(lambda w: w.update({PLACES: w[PLACES][:9]})),
    ),
    "a million layers": ("config.json", change(num_hidden_layers=10**6)),
    "a negative size": ("config.json", change(hidden_size=-8)),
    "a size of nothing": ("config.json", change(num_attention_heads=0)),
    "a huge size": ("config.json", change(hidden_size=10**12)),
    "a size that is text": ("config.json", change(hidden_size="8")),
    "a size that is a list": ("config.json", change(hidden_size=[[8]])),
    "a size that is a fraction": ("config.json", change(num_hidden_layers=1.5)),
    "heads that do not divide": ("config.json", change(num_attention_heads=3)),
    "an epsilon that is text": ("config.json", change(layer_norm_eps="small")),
    "a config that is a list": named("config.json", "[[[]]]"),
    "a config that is deep": named("config.json", "[" * 100_000),
    "half a config": named("config.json", json.dumps(_CONFIG)[:40]),
    "a config that is binary": named("config.json", b"\x80\x04\x95\xff"),
    "a config of 2 GB": ("config.json", sparse("config.json", 2_000_000_000)),
    "a config that is a device": ("config.json", link("config.json", "/dev/zero")),
    "a config that is a pipe": ("config.json", pipe("config.json")),
    "steps that are a map": named("modules.json", '{"a": 1}'),
    "steps that are numbers": named("modules.json", "[1, 2]"),
    "a step that leads out": (
        "modules.json",
        write("modules.json", '[{"type": "sentence_transformers.models.Dense", "path": "../.."}]'),
    ),
    "a limit that is text": (
        "sentence_bert_config.json",
        write("sentence_bert_config.json", '{"max_seq_length": "x"}'),
    ),
    "prompts that are a list": (
        "config_sentence_transformers.json",
        write("config_sentence_transformers.json", '{"prompts": [1]}'),
    ),
    "no tokenizer": ("", lambda folder: (folder / "tokenizer.json").unlink()),
    "an empty tokenizer": named("tokenizer.json", "{}"),
    "half a tokenizer": named("tokenizer.json", '{"version": "1.0", "truncation"'),
    "a deep tokenizer": named("tokenizer.json", "[" * 100_000),
    "a tokenizer that knows nothing": named("tokenizer.json", json.dumps(_TOKENIZER)),
    "a tokenizer of 100 MB": ("tokenizer.json", sparse("tokenizer.json", 100_000_000)),
    "a tokenizer that is a device": ("tokenizer.json", link("tokenizer.json", "/dev/zero")),
}
