"""What the folder of a sentence-transformers model says of it: enough to fingerprint an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.models.folder import modules, reading_window, weights_hash
from rag.models.soundness import damaged, read_described
from rag.types import EmbedderCard

_WIDTHS = ("hidden_size", "dim", "d_model")
_WIDEST = 65_536


def describe(
    folder: Path, name: str, question_prompt: str | None, passage_prompt: str | None
) -> EmbedderCard:
    """What the folder's own files say of the model: enough to fingerprint an index without torch."""
    config = read_described(folder / "config.json")
    if not config:
        raise ModelError(f"model folder {folder} has no config.json: is it a sentence-transformers model?")
    if not (folder / "tokenizer.json").exists():
        raise ModelError(f"model folder {folder} has no tokenizer.json: only fast tokenizers are read")
    prompts = _prompts(folder / "config_sentence_transformers.json")
    return EmbedderCard(
        name=name,
        revision=weights_hash(folder)[:16],
        dimension=_dimension(folder, config),
        window=reading_window(folder),
        question_prompt=prompts.get("query", "") if question_prompt is None else question_prompt,
        passage_prompt=_passage_prompt(prompts) if passage_prompt is None else passage_prompt,
        tokens=True,
    )


def _prompts(path: Path) -> dict[str, str]:
    prompts = read_described(path).get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise damaged(path, "its prompts are no texts by their names")
    return prompts


def _dimension(folder: Path, config: dict[str, Any]) -> int:
    dense = [m for m in modules(folder) if str(m.get("type", "")).endswith("Dense")]
    path = folder / str(dense[-1].get("path", "")) / "config.json" if dense else folder / "config.json"
    said = read_described(path) if dense else config
    found = next(filter(None, map(said.get, ("out_features",) if dense else _WIDTHS)), None)
    if not isinstance(found, int) or not 0 < found <= _WIDEST:
        raise damaged(path, f"the width of its vectors is {str(found)[:40]}")
    return found


def _passage_prompt(prompts: dict[str, str]) -> str:
    return prompts.get("document") or prompts.get("passage") or ""
