"""Who cuts a file: this process where that cannot take long, else another one, which may be ended."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

from rag.errors import ConfigError
from rag.loaders import LoaderSettings, is_quick
from rag.protocols import Chunker
from rag.threads.forks import in_each_fork, leave
from rag.types import Skipped
from rag.worker.cutting import Cut, Item, Kept, Refused, Task, cut_file
from rag.worker.messages import packed, unpacked
from rag.worker.process import Ended, WorkerProcess

# One that waits for the next ingest of this process; it ends by itself after a while.
_spare: list[WorkerProcess] = []
_turn = Lock()
_ATTEMPTS = 3


class Cutter:
    """Reads and cuts files, each within the budget of the settings."""

    def __init__(self, loaders: LoaderSettings, chunker: Chunker) -> None:
        self._loaders = loaders
        self._chunker = chunker
        self._worker: WorkerProcess | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The other process, if one is started, is there for as long as this lasts."""
        try:
            yield
        finally:
            self._release()

    def cut(self, task: Task) -> Iterator[Cut | Kept | Skipped]:
        """All that the file comes to; where it costs too much, nothing of it but the reason."""
        items = self._here(task) if is_quick(task.path, len(task.data)) else self._elsewhere(task)
        for item in items:
            yield Skipped(task.source, item.reason) if isinstance(item, Refused) else item

    def _here(self, task: Task) -> list[Item]:
        return _unless_refused(list(cut_file(task, self._loaders, self._chunker)))

    def _elsewhere(self, task: Task) -> Iterator[Item]:
        """The replies are kept as they came until the last is in: a document is larger than its bytes."""
        request = packed(task)
        for _ in range(_ATTEMPTS):
            try:
                replies = list(self._ready().ask(request))
            except Ended as ended:
                self._worker = None
                if ended.reason:
                    return iter([Refused(ended.reason)])
                continue  # it had retired before the question came
            if replies and isinstance(last := unpacked(replies[-1]), Refused):
                return iter([last])
            return map(unpacked, replies)
        return iter([Refused("the process that reads files ends before it has read anything")])

    def _ready(self) -> WorkerProcess:
        setup = self._setup
        if self._worker is not None and not self._worker.is_usable:
            self._worker.close()
            self._worker = None
        worker = self._worker = self._worker or _taken()
        worker.set_up(setup, self._loaders.budget)
        return worker

    @cached_property
    def _setup(self) -> bytes:
        try:
            return packed((self._loaders, self._chunker))
        except Exception as error:
            raise ConfigError(
                f"the chunker {type(self._chunker).__name__} cannot be pickled, and files are cut in another "
                f"process: {error}"
            ) from error

    def _release(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            _give_back(worker)


def _unless_refused(items: list[Item]) -> list[Item]:
    return items[-1:] if items and isinstance(items[-1], Refused) else items


def _taken() -> WorkerProcess:
    with _turn:
        while _spare:
            worker = _spare.pop()
            if worker.is_usable:
                return worker
            worker.close()
    return WorkerProcess()


def _give_back(worker: WorkerProcess) -> None:
    with _turn:
        if not _spare and worker.is_usable:
            _spare.append(worker)
            return
    worker.close()


@atexit.register
def _close_spare() -> None:
    while _spare:
        _spare.pop().close()


def _leave_spare() -> None:
    """In a fork: the parent talks to them."""
    global _turn
    leave(list(_spare))
    _spare.clear()
    _turn = Lock()


in_each_fork(_leave_spare)
