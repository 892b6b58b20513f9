"""A model is loaded once a process, however many pipelines use it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Generic, TypeVar, TypeVarTuple

from rag.threads.forks import in_each_fork, leave

M = TypeVar("M")
Ts = TypeVarTuple("Ts")


class once(Generic[*Ts, M]):
    """One at a time: who asks for what another is loading gets that. A fork loads its own."""

    def __init__(self, load: Callable[[*Ts], M]) -> None:
        self._load = load
        self._begin()
        in_each_fork(self._begin_anew)

    def _begin(self) -> None:
        self._loading, self._loaded = Lock(), lru_cache(maxsize=4)(self._load)

    def _begin_anew(self) -> None:
        leave(self._loaded)
        self._begin()

    def __call__(self, *said: *Ts) -> M:
        with self._loading:
            return self._loaded(*said)
