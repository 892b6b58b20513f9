"""Each trial in a process of its own, a fork of this one: what crashes or hangs there is a finding."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from random import Random

from hostile.trial import Area, Outcome, Trial

_POLL_S = 0.01
_PREPARE_S = 600.0


def prepare(area: Area, ready: Path) -> None:
    """Makes what the area's trials start from. What was imported for it is imported here, once for all."""
    ready.mkdir(parents=True)
    make = area.prepare
    if make is None:
        return
    modules = ready / "modules"

    def made(_: Path) -> str:
        make(ready)
        modules.write_text("\n".join(sys.modules))
        return ""

    if problem := Forked(made, _PREPARE_S).wait():
        raise SystemExit(f"{area.name} cannot be prepared: {problem}")
    for module in modules.read_text().splitlines():
        with suppress(ImportError):  # some have no file
            import_module(module)
    gc.freeze()  # a collection would copy to each fork all that it only reads


def run_trials(area: Area, seed: int, numbers: range, ready: Path, jobs: int) -> Iterator[Outcome]:
    """So many at a time."""
    waiting = iter(_numbered(area, seed, numbers))
    running: list[_Running] = []
    while True:
        while len(running) < jobs and (taken := next(waiting, None)):
            running.append(_Running.start(*taken, area, ready))
        if not running:
            return
        time.sleep(_POLL_S)
        for one in list(running):
            if (problem := one.forked.problem()) is not None:
                running.remove(one)
                yield one.outcome(problem)


def _numbered(area: Area, seed: int, numbers: range) -> Iterator[tuple[int, Trial]]:
    trials = area.trials(Random(f"{area.name} {seed}"))
    return islice(enumerate(trials), numbers.start, numbers.stop)


@dataclass(frozen=True, slots=True)
class _Running:
    area: str
    number: int
    what: str
    started: float
    forked: Forked

    @classmethod
    def start(cls, number: int, trial: Trial, area: Area, ready: Path) -> _Running:
        forked = Forked(lambda folder: trial.run(folder, ready), area.limit_s)
        return cls(area.name, number, trial.what, time.monotonic(), forked)

    def outcome(self, problem: str) -> Outcome:
        seconds = round(time.monotonic() - self.started, 2)
        return Outcome(self.area, self.number, self.what, problem, seconds)


class Forked:
    """Work in a fork, with an empty folder for it, until it is done or its time is over."""

    def __init__(self, work: Callable[[Path], str], limit_s: float) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rag-hostile-"))
        self._limit_s = limit_s
        self._until = time.monotonic() + limit_s
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()  # it and all that it starts can be ended together
            self._told.write_text(_told_by(work, self._folder / "trial"))
            os._exit(0)

    @property
    def _told(self) -> Path:
        return self._folder / "told"

    def wait(self) -> str:
        while (problem := self.problem()) is None:
            time.sleep(_POLL_S)
        return problem

    def problem(self) -> str | None:
        """None while it runs; then what it said, or how it ended without a word."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0 and time.monotonic() < self._until:
            return None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if pid == 0:
            os.waitpid(self._pid, 0)
            told = f"not over after {self._limit_s:.0f} s"
        elif os.WIFSIGNALED(status):
            told = f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
        else:
            told = self._told.read_text()
        shutil.rmtree(self._folder, ignore_errors=True)
        return told


def _told_by(work: Callable[[Path], str], folder: Path) -> str:
    try:
        folder.mkdir()
        return work(folder)
    except BaseException:  # noqa: BLE001 - it is the finding
        return traceback.format_exc()
