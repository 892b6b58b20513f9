"""Models of the BERT family as OpenVINO graphs, written out from their weights."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rag.models import token_bits
from rag.models.bert import Pooling, check_vocabulary, fitting, network_hash, read_bert, why_not_bert
from rag.models.choice import Precision
from rag.models.cross_encoder import QueuedCrossEncoder
from rag.models.folder import is_bundled, reading_window
from rag.models.openvino import OpenVinoEngine
from rag.models.tokenizer import load_tokenizer, marked, tokens_of
from rag.models.tokens import Tokens

TAKES_ALL = False
AUTO = 1
PRECISIONS = frozenset({"fp32", "bf16", "int8"})

# Characters of a text that stand for a question, where a model is measured for int8.
_QUESTION = 60


def obstacle(device: str | None, folder: Path) -> str:
    if device not in (None, "cpu"):
        return f"device is {device!r}, and openvino runs on the CPU here"
    return "the package openvino is not installed" if find_spec("openvino") is None else why_not_bert(folder)


def bi_encoder(folder: Path, pooling: Pooling, device: str | None, precision: Precision) -> OpenVinoEngine:
    def graph() -> Any:
        from rag.models.graph import sentence_graph

        bert = read_bert(folder)
        network = sentence_graph(bert, pooling, token_bits.rotation(bert.hidden))
        if precision != "int8":
            return network
        from rag.models.int8 import quantized, sample_texts

        texts = tokens_of(load_tokenizer(folder), sample_texts(), reading_window(folder))
        return quantized(network, texts)

    with fitting(folder):
        _check(folder)
        return OpenVinoEngine(f"sentences-{pooling}-{network_hash(folder)}", graph, precision)


def cross_encoder(folder: Path, device: str | None, precision: Precision) -> QueuedCrossEncoder:
    def graph() -> Any:
        from rag.models.graph import pair_graph

        network = pair_graph(read_bert(folder))
        if precision != "int8":
            return network
        from rag.models.int8 import quantized, sample_texts

        return quantized(network, _sample_pairs(folder, sample_texts()))

    with fitting(folder):
        _check(folder)
        return QueuedCrossEncoder(folder, OpenVinoEngine(f"pairs-{network_hash(folder)}", graph, precision))


def _check(folder: Path) -> None:
    if not is_bundled(folder):
        tokens = load_tokenizer(folder).get_vocab_size()
        check_vocabulary(read_bert(folder), tokens, reading_window(folder))


def _sample_pairs(folder: Path, texts: Sequence[str]) -> list[Tokens]:
    """Each text with the beginning of the next one for a question."""
    tokenizer = load_tokenizer(folder)
    encodings = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    asked = [tokenizer.encode(text[:_QUESTION], add_special_tokens=False) for text in (*texts[1:], texts[0])]
    room = reading_window(folder) - _QUESTION - tokenizer.num_special_tokens_to_add(True)
    return [marked(tokenizer, a, b, room) for a, b in zip(asked, encodings, strict=True)]
