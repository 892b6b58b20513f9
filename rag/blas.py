"""Small products on one thread: a second one waits for the first longer than it helps.

Where other work keeps the cores busy, waiting for each other makes them many times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it ships no types

_lock = Lock()
_limits: list[Any] = []
_inside = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """For numpy's products inside; restored when the last of all callers leaves."""
    global _inside
    with _lock:
        if not _inside:
            _limits.append(_blas().limit(limits=1))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limits.pop().restore_original_limits()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
