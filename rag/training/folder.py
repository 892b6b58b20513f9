"""The folder that a config names, put in its place as a whole."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from rag.errors import InputError
from rag.files.lock import alone
from rag.models.card import RECORD

_LOCK = "train.lock"


def check_out(out: Path) -> None:
    """Its record says that a folder is one of ours: nothing else is ever replaced."""
    if out.exists() and not (out / RECORD).exists():
        raise InputError(
            f"--out {out} is there already and holds no model that `rag train` has made: name another folder"
        )


def hold(work: Path) -> AbstractContextManager[None]:
    """One training a folder."""
    return alone(work / _LOCK, f"another training is writing to {work}: wait, or name another --out", "--out")


def put(fresh: Path, out: Path) -> None:
    """In the place of a model that an earlier training has put there."""
    for file in fresh.rglob("*"):
        # The weights come readable for their writer alone, who need not be who answers questions.
        file.chmod(0o755 if file.is_dir() else 0o644)
    former = out.with_name(f"{out.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if out.exists():
        os.replace(out, former)
    os.replace(fresh, out)
    shutil.rmtree(former, ignore_errors=True)


def sweep(work: Path, identity: str) -> None:
    """What another training has left: other questions, other documents, another recipe."""
    for left in work.iterdir():
        if identity not in left.name and left.name != _LOCK:
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
