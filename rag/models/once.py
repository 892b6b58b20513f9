"""A model is loaded once a process, however many pipelines use it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import TypeVar, TypeVarTuple

M = TypeVar("M")
Ts = TypeVarTuple("Ts")


def once(load: Callable[[*Ts], M]) -> Callable[[*Ts], M]:
    """One at a time: who asks for what another is loading gets that."""
    loading, loaded = Lock(), lru_cache(maxsize=4)(load)

    def alone(*said: *Ts) -> M:
        with loading:
            return loaded(*said)

    return alone
