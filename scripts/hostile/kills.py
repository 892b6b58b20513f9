"""SIGKILL at a random moment of whatever writes. What is left must be read whole, and doing it again must
make the same index as doing it in one go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from support.killing import (
    OPERATIONS,
    SAVE_EVERY,
    contents,
    differences,
    reading_problems,
    versions,
    whole_before,
)
from support.shelf import Shelf, noted

import rag.ingest
from hostile.trial import Area, Trial
from rag.errors import RagError
from rag.index.backup import back_up, restore

TOLD = "told.json"
_ARCHIVE = "kept.zip"
# Of the trials, those in which doing it again is killed as well.
_TWICE = 0.3


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


def _trials(random: Random) -> Iterator[Trial]:
    while True:
        operation = random.choice([*ALL])
        moments = [random.random() for _ in range(1 + (random.random() < _TWICE))]
        said = " and ".join(f"{moment:.0%}" for moment in moments)
        yield Trial(f"{operation} killed at {said}", partial(_killed, operation, moments))


def _killed(operation: str, moments: list[float], folder: Path, ready: Path) -> str:
    in_small_steps()
    told = json.loads((ready / operation / TOLD).read_text())
    _, act, _ = ALL[operation]
    shutil.copytree(ready / operation / "base", folder, dirs_exist_ok=True)
    for moment in moments:
        _kill(partial(act, folder), moment * told["seconds"])
    problems = read(folder, told)
    first_run = noted(Shelf(folder).notes)
    act(folder)
    problems += differences(told["expected"], contents(folder))
    problems += left_over(folder)
    if len(moments) == 1:
        twice = Counter(noted(Shelf(folder).notes)) - Counter({*noted(Shelf(folder).notes)})
        problems += [f"encoded twice: {text}" for text in twice - Counter(first_run[-3 * SAVE_EVERY :])]
    return "\n".join(problems)


def _kill(act: Callable[[], None], after_s: float) -> None:
    """This process has opened nothing yet: that is what a fork may use."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


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


AREA = Area(
    name="kills",
    promise="killed and done again: nothing lost, doubled or encoded twice; what is read is whole",
    trials=_trials,
    short=12,
    long=600,
    prepare=prepare,
)
