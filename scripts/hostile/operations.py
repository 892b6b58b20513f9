"""What is done to an index in a trial, what it should come to, and what must not be left over."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.killing import OPERATIONS, SAVE_EVERY, contents, reading_problems, versions, whole_before
from support.shelf import Shelf

import rag.ingest
from rag.errors import RagError
from rag.index.backup import back_up, restore

TOLD = "told.json"
_ARCHIVE = "kept.zip"


def _do_backup(at: Path) -> None:
    (at / "kept").mkdir(exist_ok=True)
    back_up(Shelf(at).open().index.catalog, at / "feedback.jsonl", at / "kept" / _ARCHIVE)


def _backed_up(at: Path) -> None:
    whole_before(at)
    _do_backup(at)
    shutil.rmtree(at / "index")


def _do_restore(at: Path) -> None:
    restore(at / "kept" / _ARCHIVE, at / "index", at / "feedback.jsonl", replace=True)
    Shelf(at).open().rebuild()


ALL = {
    **OPERATIONS,
    "backup": (whole_before, _do_backup, whole_before),
    "restore": (_backed_up, _do_restore, whole_before),
}


def prepare(ready: Path) -> None:
    in_small_steps()
    for operation, (begin, act, in_one_go) in ALL.items():
        base, whole = ready / operation / "base", ready / operation / "whole"
        begin(base)
        in_one_go(whole)
        told = {
            "expected": contents(whole),
            "old": versions(base) if (base / "index").exists() else {},
            "new": versions(whole),
            "seconds": _seconds(act, base, ready / operation / "rehearsal"),
        }
        (ready / operation / TOLD).write_text(json.dumps(told))


def _seconds(act: Callable[[Path], None], base: Path, at: Path) -> float:
    shutil.copytree(base, at)
    started = time.monotonic()
    act(at)
    return time.monotonic() - started


def in_small_steps() -> None:
    """Several groups of several documents, each saved in several steps."""
    rag.ingest._GROUP_CHUNKS, rag.ingest._SAVE_EVERY = 9, SAVE_EVERY


def read(folder: Path, told: dict[str, Any]) -> list[str]:
    """What a reader sees before anything is done again. An index that cannot be read must say why."""
    if not (folder / "index" / "catalog.sqlite").exists():
        return []
    try:
        opened = Shelf(folder).open()
        opened.check()
    except RagError as error:
        return [] if "`rag " in str(error) else [f"no remedy is named: {error}"]
    return reading_problems(opened, told["old"], told["new"])


def left_over(folder: Path) -> list[str]:
    """Files that nothing owns and nothing will ever remove."""
    left = [*folder.rglob("*.tmp"), *folder.rglob("*.catalog"), *folder.rglob("*.damaged*")]
    return [f"left over: {path.relative_to(folder)}" for path in left]
