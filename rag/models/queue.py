"""One model, many callers: their texts share batches, and none waits for all of another's.

There is no thread of its own: the caller who finds the model free drives it, for all who wait,
until what it asked for is done; then another takes over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Protocol

from rag.models.tokens import Batch, Tokens, padded
from rag.types import Floats

Outputs = tuple[Floats, ...]
# Padding that a short text may cost a batch.
_LITTLE = 16


class Engine(Protocol):
    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        """Begins a batch, having waited until there is room for it; `done` may come on any thread."""
        ...


class _Job:
    """What one caller asked for: its texts still to start, longest first, and the results so far."""

    def __init__(self, texts: Sequence[Tokens], batch_tokens: int) -> None:
        self.texts = texts
        self.batch_tokens = batch_tokens
        self.waiting = deque(sorted(range(len(texts)), key=lambda i: -len(texts[i])))
        self.results: list[Outputs] = [()] * len(texts)
        self.left = len(texts)
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.left == 0 or self.error is not None

    def longest(self) -> int:
        return len(self.texts[self.waiting[0]])


_Place = tuple[_Job, int]


class SharedQueue:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._is_driven = False

    def run(self, texts: Sequence[Tokens], batch_tokens: int) -> list[Outputs]:
        """What the model gives for each text, in the order given, as it would for each alone."""
        job = _Job(texts, batch_tokens)
        if texts:
            with self._changed:
                self._jobs.append(job)
                self._changed.notify_all()
            try:
                self._see_through(job)
            finally:
                with self._changed:
                    job.waiting.clear()  # where it was interrupted
        if job.error:
            raise job.error
        return job.results

    def _see_through(self, job: _Job) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: job.is_done or not self._is_driven)
                if job.is_done:
                    return
                self._is_driven = True
            try:
                self._drive(job)
            finally:
                with self._changed:
                    self._is_driven = False
                    self._changed.notify_all()

    def _drive(self, own: _Job) -> None:
        while not own.is_done:
            with self._changed:
                places = self._next()
                if not places:
                    self._changed.wait_for(lambda: own.is_done or any(job.waiting for job in self._jobs))
                    continue
            self._start(places)

    def _start(self, places: Sequence[_Place]) -> None:
        batch = Batch.of([job.texts[at] for job, at in places])
        try:
            self._engine.start(batch, lambda outputs: self._finish(places, outputs))
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            with self._changed:
                for job, _ in places:
                    job.error = error
                    job.waiting.clear()
                self._changed.notify_all()

    def _finish(self, places: Sequence[_Place], outputs: Outputs) -> None:
        with self._changed:
            for row, (job, at) in enumerate(places):
                job.results[at] = tuple(output[row] for output in outputs)
                job.left -= 1
            self._changed.notify_all()

    def _next(self) -> list[_Place]:
        """The next batch: of the job whose turn it is, filled up with texts of others of like length."""
        while self._jobs and not self._jobs[0].waiting:
            self._jobs.popleft()
        if not self._jobs:
            return []
        turn = self._jobs[0]
        heads = [job.longest() for job in self._jobs if job.waiting]
        width = max(length for length in heads if length <= heads[0] + _LITTLE)
        room = max(1, turn.batch_tokens // padded(width))
        places: list[_Place] = []
        for job in list(self._jobs):
            while len(places) < room and job.waiting and _fits(job.longest(), width):
                places.append((job, job.waiting.popleft()))
        self._jobs.rotate(-1)
        return places


def _fits(length: int, width: int) -> bool:
    return length <= width and (length >= width // 2 or width - length <= _LITTLE)
