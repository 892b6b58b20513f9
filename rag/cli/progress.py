"""Progress: a bar a stage on a terminal, a plain line a stage and step elsewhere, nothing with --json."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag.cli.printing import console
from rag.protocols import Progress, silent

_VERBS = {
    "read": "Reading files",
    "embed": "Encoding passages",
    "store": "Storing passages",
    "ask": "Asking",
    "score": "Scoring",
    "draft": "Drafting",
    "mine": "Mining passages",
    "train": "Training",
    "judge": "Judging",
}
# Between two plain lines of one stage: a log should stay readable.
_SECONDS = 5.0


@contextmanager
def showing_progress(quiet: bool) -> Iterator[Progress]:
    """On stderr, so that stdout holds results alone."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        yield from _bars()
    else:
        yield _Lines()


def _bars() -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks and (done or total):
                tasks[stage] = bars.add_task(_VERBS.get(stage, stage), total=None)
            if stage in tasks:
                bars.update(tasks[stage], completed=done, total=total or None)

        yield show


class _Lines:
    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        due = now - self._last.get(stage, now - _SECONDS / 2) >= _SECONDS
        if (done or total) and (due or (done == total and stage in self._last)):
            self._last[stage] = now
            of = f" of {total:,}" if total else ""
            print(f"{_VERBS.get(stage, stage)}: {done:,}{of}", file=sys.stderr, flush=True)
        self._last.setdefault(stage, now)
