"""A folder that one process writes to at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import ConfigError, LockedError


@contextmanager
def alone(lock: Path, busy: str, option: str) -> Iterator[None]:
    """`busy`: what to say where another process holds the lock. `option`: what names the folder."""
    held = FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout:
        raise LockedError(busy) from None
    except OSError as error:
        raise ConfigError(f"{lock.parent} ({option}) cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        held.release()
