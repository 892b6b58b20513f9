"""The process that reads and cuts: one file after the other, each within its budget, until nobody asks.

Time is watched by the kernel: its timer ends this process whatever a parser is doing. Where the one who asked
is gone, it goes too.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

from rag.loaders import Budget, LoaderSettings
from rag.protocols import Chunker
from rag.worker.cutting import Refused, Task, cut_file
from rag.worker.messages import LENGTH, framed, packed

SETUP, TASK, END = b"s", b"t", b""
OUT_OF_MEMORY = 77
_IDLE_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_LOG_BYTES = 1_000_000
_PIECE = 1 << 20


def serve() -> None:
    """Entered by a fresh process: requests come on its stdin, replies go to what was its stdout."""
    replies = os.dup(1)
    silence = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process; what a parser prints is no reply
    os.dup2(silence.fileno(), 1)
    sys.stdout = sys.stderr = silence
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _bound("RLIMIT_CORE", 0)
    _bound("RLIMIT_FSIZE", _LOG_BYTES)
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    gc.freeze()
    try:
        _Desk(replies).work()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


class _Desk:
    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._setup: tuple[LoaderSettings, Chunker] | None = None

    def work(self) -> None:
        while (kind := self._next()) is not None:
            if kind == SETUP:
                self._setup = pickle.loads(_message())
                _bound("RLIMIT_DATA", self._budget.memory_mb << 20)
            else:
                self._read(pickle.loads(_message()))
            self._say(END)
            if _has_grown(self._budget):
                return  # what a large file has left behind is no burden to the next

    @property
    def _budget(self) -> Budget:
        return self._setup[0].budget if self._setup else Budget()

    def _next(self) -> bytes | None:
        ready, *_ = select([0], [], [], _IDLE_SECONDS)
        return (os.read(0, 1) or None) if ready else None

    def _read(self, task: Task) -> None:
        if self._setup is None:
            return
        _start_log()
        loaders, chunker = self._setup
        with _timed(seconds_for(loaders.budget, len(task.data))):
            try:
                for item in cut_file(task, loaders, chunker):
                    self._say(packed(item))
            except (MemoryError, BrokenPipeError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a chunker raises is this file's trouble alone
                self._say(
                    packed(Refused(f"cannot be cut into passages: {type(error).__name__}: {error}"[:300]))
                )

    def _say(self, message: bytes) -> None:
        left = memoryview(framed(message))
        while left:
            left = left[os.write(self._replies, left) :]


def seconds_for(budget: Budget, size: int) -> float:
    return budget.seconds * (1 + size // 1_000_000)


def _message() -> bytes:
    (size,) = LENGTH.unpack(_exactly(LENGTH.size))
    return _exactly(size)


def _exactly(size: int) -> bytes:
    pieces = []
    while size:
        piece = os.read(0, min(size, _PIECE))
        if not piece:
            raise BrokenPipeError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@contextmanager
def _timed(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _bound(name: str, limit: int) -> None:
    """Not every system keeps every limit."""
    import resource

    which = getattr(resource, name)
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (limit if hard < 0 else min(limit, hard), hard))


def _has_grown(budget: Budget) -> bool:
    """By what it holds now. (What getrusage tells may be of the process that started this one.)"""
    try:
        with open("/proc/self/statm", "rb") as sizes:
            held = int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return False
    return held > (budget.memory_mb << 20) // 2


def _start_log() -> None:
    """What is printed about one file is of no interest beside the next."""
    with suppress(OSError):
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(0)
