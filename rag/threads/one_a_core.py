"""Reading an index in turn: on one thread a core, whoever asks.

Reading is Python, SQLite and small products. More threads at it than cores wait for each other's lock at
every row, each with a connection and memory of its own; in a queue they are quicker, and none starves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import current_thread
from typing import TypeVar

T = TypeVar("T")

_NAME = "rag-turn"


def in_turn(work: Callable[[], T]) -> T:
    """The result of the work, done by one of the threads as its turn comes."""
    if current_thread().name.startswith(_NAME):
        return work()  # its turn has come already
    return _threads(os.getpid()).submit(work).result()


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """Of this process: threads do not come along into a fork."""
    return ThreadPoolExecutor(cores(), thread_name_prefix=_NAME)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
