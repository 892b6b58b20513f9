"""What comes with rag beside its code: the handbook of an invented observatory, and the reader's weights."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rag.errors import InputError


def handbook() -> Path:
    """The copy in the installed package; in a working copy of the project, the original."""
    package = Path(str(files("rag")))
    for folder in (package / "handbook", package.parent / "data" / "handbook"):
        if folder.is_dir():
            return folder
    raise InputError(f"the demo's handbook is neither in {package} nor beside it: install rag anew")


def reader_model() -> Path:
    return Path(str(files("rag"))) / "reader_model"
