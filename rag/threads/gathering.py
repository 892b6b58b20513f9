"""Calls at the same time, and no waiting for any of them beyond a point in time."""

from __future__ import annotations

import atexit
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Condition, Thread, current_thread
from typing import Generic, TypeVar

T = TypeVar("T")

# A thread that is stopped inside a model's own code takes the whole process down with it.
_PATIENCE_AT_EXIT_S = 5.0
_running: set[Thread] = set()


class Gathering(Generic[T]):
    """Runs jobs on threads of its own, which are abandoned when their time is over.

    Daemon threads, not a pool: a pool's threads are waited for when the process ends, however long.
    """

    def __init__(self, jobs: Sequence[Callable[[], T]], workers: int) -> None:
        self._waiting = deque(enumerate(jobs))
        self._count = len(jobs)
        self._workers = min(workers, len(jobs))
        self._results: dict[int, T] = {}
        self._error: Exception | None = None
        self._closed = False
        self._changed = Condition()

    def results(self, until: float | None) -> tuple[dict[int, T], Exception | None]:
        """What is in by `until`, by the jobs' places, and the first error. An error ends the waiting."""
        _wait_at_exit()
        for _ in range(self._workers):
            thread = Thread(target=self._work, daemon=True)
            _running.add(thread)
            thread.start()
        with self._changed:
            while not self._over():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            self._closed = True
            return dict(self._results), self._error

    def _over(self) -> bool:
        return self._error is not None or len(self._results) == self._count

    def _work(self) -> None:
        try:
            self._work_off()
        finally:
            _running.discard(current_thread())

    def _work_off(self) -> None:
        while (taken := self._take()) is not None:
            place, job = taken
            try:
                result = job()
            except Exception as error:  # noqa: BLE001  # it is raised where the results are asked for
                self._note(error=error)
                return
            self._note(place, result)

    def _take(self) -> tuple[int, Callable[[], T]] | None:
        with self._changed:
            return self._waiting.popleft() if self._waiting and not self._closed else None

    def _note(self, place: int = 0, result: T | None = None, error: Exception | None = None) -> None:
        with self._changed:
            if error is not None:
                self._error = self._error or error
            else:
                self._results[place] = result  # type: ignore[assignment]  # T may itself allow None
            self._changed.notify_all()


@lru_cache(maxsize=1)
def _wait_at_exit() -> None:
    atexit.register(_wait_for_abandoned)


def _wait_for_abandoned() -> None:
    until = time.monotonic() + _PATIENCE_AT_EXIT_S
    for thread in list(_running):
        thread.join(max(until - time.monotonic(), 0.0))
