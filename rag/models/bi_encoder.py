"""A bi-encoder on the runtime that suits it: token ids in, vectors and token vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.models.bert import Pooling
from rag.models.choice import Choice, Precision, Runtime, choose
from rag.models.folder import modules
from rag.models.once import once
from rag.models.queue import Engine, Outputs, SharedQueue
from rag.models.soundness import read_described
from rag.models.tokens import Tokens

_READ = ("Transformer", "Pooling", "Normalize")
# As sentence-transformers writes it since version 6, and as it did before.
_POOLINGS: dict[str, Pooling] = {
    "mean": "mean",
    "cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}


class BiEncoder:
    def __init__(self, engine: Engine) -> None:
        self._queue = SharedQueue(engine)

    def encode(self, texts: Sequence[Tokens], batch_tokens: int) -> list[Outputs]:
        """For each text its vector, not yet of unit length, and its rotated tokens, padding included."""
        return self._queue.run(texts, batch_tokens)


def choose_for_sentences(folder: Path, runtime: Runtime, precision: Precision, device: str | None) -> Choice:
    return choose(runtime, precision, device, folder, _why_not(folder))


def _load(folder: Path, runtime: Runtime, precision: Precision, device: str | None) -> BiEncoder:
    choice = choose_for_sentences(folder, runtime, precision, device)
    return BiEncoder(choice.file.bi_encoder(folder, _pooling(folder) or "mean", device, choice.precision))


load_bi_encoder = once(_load)


def _why_not(folder: Path) -> str:
    """Steps that only sentence-transformers itself can take."""
    kinds = [str(step.get("type", "")).rsplit(".", 1)[-1] for step in modules(folder)]
    if other := [kind for kind in kinds if kind not in _READ]:
        return f"it has a step of the kind {other[0]}"
    if read_described(folder / "sentence_bert_config.json").get("do_lower_case"):
        return "it lowers its texts' case outside of its tokenizer"
    return "" if _pooling(folder) else "its pooling is neither the mean nor the first token"


def _pooling(folder: Path) -> Pooling | None:
    steps = [step for step in modules(folder) if str(step.get("type", "")).endswith("Pooling")]
    said = read_described(folder / str(steps[0].get("path", "")) / "config.json") if steps else {}
    if not said:
        return "mean"  # as sentence-transformers does for a plain transformers model
    if isinstance(said.get("pooling_mode"), str):
        return _POOLINGS.get(said["pooling_mode"])
    chosen = {name for name, value in said.items() if name.startswith("pooling_mode_") and value is True}
    return _POOLINGS.get(chosen.pop()) if len(chosen) == 1 else None
