"""What the folder of a sentence-transformers model says of it: enough to fingerprint an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.models.folder import modules, read_json, reading_window, weights_hash
from rag.types import EmbedderCard


def describe(
    folder: Path, name: str, question_prompt: str | None, passage_prompt: str | None
) -> EmbedderCard:
    """What the folder's own files say of the model: enough to fingerprint an index without torch."""
    config = read_json(folder / "config.json")
    if not config:
        raise ModelError(f"model folder {folder} has no config.json: is it a sentence-transformers model?")
    if not (folder / "tokenizer.json").exists():
        raise ModelError(f"model folder {folder} has no tokenizer.json: only fast tokenizers are read")
    prompts = read_json(folder / "config_sentence_transformers.json").get("prompts", {})
    return EmbedderCard(
        name=name,
        revision=weights_hash(folder)[:16],
        dimension=_dimension(folder, config),
        window=reading_window(folder),
        question_prompt=prompts.get("query", "") if question_prompt is None else question_prompt,
        passage_prompt=_passage_prompt(prompts) if passage_prompt is None else passage_prompt,
        tokens=True,
    )


def _dimension(folder: Path, config: dict[str, Any]) -> int:
    dense = [m for m in modules(folder) if str(m.get("type", "")).endswith("Dense")]
    if dense:
        return int(read_json(folder / dense[-1]["path"] / "config.json")["out_features"])
    return int(config.get("hidden_size") or config.get("dim") or config["d_model"])


def _passage_prompt(prompts: dict[str, str]) -> str:
    return prompts.get("document") or prompts.get("passage") or ""
