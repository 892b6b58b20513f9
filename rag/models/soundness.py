"""Whether a model's folder can be a model's: looked at before anything loads it.

Libraries believe what a folder says. A config of a million layers is built until no memory is left, a damaged
file ends in a traceback of Rust, and pickled weights or modules of the folder's own run whatever they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.errors import ConfigError, ModelError
from rag.files.given import read_given

REMEDY = "download the model anew, or name another"
_MOST_OF_JSON = 10_000_000
# The largest vocabularies in use have 20 to 35 MB.
_MOST_OF_TOKENIZER = 80_000_000
# Of 40,000 weights: a hundred times what models of this kind have.
_MOST_OF_HEADER = 5_000_000
_MARK = 8
_DESCRIBED = (
    *("config.json", "tokenizer_config.json", "sentence_bert_config.json"),
    *("config_sentence_transformers.json", "special_tokens_map.json"),
)
# What the numbers of a config may be; none of the models in use comes near.
_LIMITS = {
    "hidden_size": 65_536,
    "intermediate_size": 1_048_576,
    "num_hidden_layers": 1_000,
    "num_attention_heads": 1_024,
    "vocab_size": 10_000_000,
    "max_position_embeddings": 10_000_000,
    "type_vocab_size": 1_000,
}
# Where a model may have none at all.
_MAY_BE_ZERO = frozenset({"type_vocab_size", "max_position_embeddings"})
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt")
_THE_LIBRARYS = ("sentence_transformers.", "pylate.")


def check_sound(folder: Path, trusted: bool = False) -> None:
    """trusted: its files may run code of their own."""
    for name in _DESCRIBED:
        read_described(folder / name)
    _check_numbers(folder / "config.json", read_described(folder / "config.json"))
    _check_size(folder / "tokenizer.json", _MOST_OF_TOKENIZER)
    kinds = list(_kinds(folder / "modules.json"))
    for file in sorted(folder.rglob("*.safetensors")):
        _check_weights(file)
    if not trusted:
        _refuse_code(folder, kinds)


def read_described(path: Path) -> dict[str, Any]:
    """A file of names and values; empty where it is not there."""
    said = _parsed(path)
    if said is not None and not isinstance(said, dict):
        raise damaged(path, f"it holds {type(said).__name__}, not names and values")
    return said or {}


def read_steps(path: Path) -> list[dict[str, Any]]:
    """What a text passes, in order; none where the file is not there."""
    said = _parsed(path)
    if said is not None and (not isinstance(said, list) or not all(isinstance(step, dict) for step in said)):
        raise damaged(path, "it holds no list of steps")
    return said or []


def damaged(path: Path, what: object) -> ModelError:
    return ModelError(f"{path} of the model cannot be read: {what}; {REMEDY}")


def _parsed(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(_content(path, _MOST_OF_JSON))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "nested too deeply" if isinstance(error, RecursionError) else error) from None


def _content(path: Path, most_bytes: int) -> bytes:
    try:
        return read_given(path, "the model's file", most_bytes)
    except ConfigError as error:
        raise ModelError(f"{error}; {REMEDY}") from None


def _check_size(path: Path, most_bytes: int) -> None:
    if not path.exists():
        return
    if not path.is_file():
        raise damaged(path, "it is no file")
    if (size := path.stat().st_size) > most_bytes:
        raise damaged(path, f"it has {size:,} bytes, and no more than {most_bytes:,} are read")


def _check_numbers(path: Path, config: dict[str, Any]) -> None:
    for key, most in _LIMITS.items():
        value = config.get(key)
        if value is None:
            continue
        least = 0 if key in _MAY_BE_ZERO else 1
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise damaged(path, f"{key} is {str(value)[:40]}, and can be {least} to {most:,}")
    hidden, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if hidden and heads and hidden % heads and config.get("model_type") in ("bert", "roberta", "xlm-roberta"):
        raise damaged(path, f"hidden_size {hidden} is no multiple of num_attention_heads {heads}")


def _kinds(path: Path) -> Iterator[str]:
    for step in read_steps(path):
        inner = Path(str(step.get("path", "")))
        if inner.is_absolute() or ".." in inner.parts:
            raise damaged(path, f"the step in {str(inner)[:80]!r} lies outside of the folder")
        yield str(step.get("type", ""))


def _check_weights(file: Path) -> None:
    """As the file's own library sees it, which looks at every offset; once its head is of bearable size."""
    from safetensors import safe_open

    if not file.is_file():
        raise damaged(file, "it is no file")
    with file.open("rb") as stream:
        mark = stream.read(_MARK)
    size, header = file.stat().st_size, int.from_bytes(mark, "little")
    if len(mark) < _MARK or header > size - _MARK:
        raise damaged(file, f"it has {size:,} bytes, fewer than its head announces: it is cut short, or none")
    if header > _MOST_OF_HEADER:
        raise damaged(file, f"its head has {header:,} bytes, and no more than {_MOST_OF_HEADER:,} are read")
    try:
        with safe_open(str(file), "numpy") as weights:
            weights.keys()
    except Exception as error:  # noqa: BLE001 - safetensors raises its own kind
        raise damaged(file, error) from None


def _refuse_code(folder: Path, kinds: list[str]) -> None:
    if own := [kind for kind in kinds if not kind.startswith(_THE_LIBRARYS)]:
        raise _untrusted(folder / "modules.json", f"names {own[0][:80]!r}, code that is not the library's")
    for pattern in _PICKLES:
        for file in sorted(folder.rglob(pattern)):
            if _is_weights(file) and not any(file.parent.glob("*.safetensors")):
                raise _untrusted(file, "holds pickled weights, which run whatever code stands in them")


def _is_weights(file: Path) -> bool:
    """`training_args.bin` and the like are read by nobody."""
    return file.name.startswith(("pytorch_model", "model", "adapter_model"))


def _untrusted(file: Path, what: str) -> ModelError:
    return ModelError(
        f"{file} {what}: use an edition of the model with model.safetensors, or set `trusted: true` beside "
        "`model` if you trust its maker"
    )
