"""What is made of a model once and kept on disk: by one process, however many want it at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from rag.files.whole import write_whole


def folder() -> Path:
    """Where the system keeps what can be made again."""
    return user_cache_path("rag", appauthor=False)


def kept(name: str, make: Callable[[], bytes]) -> Path | None:
    """The file of this name, made if it is not there; None where nothing can be kept."""
    path = folder() / name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                write_whole(path, make())
    except OSError:  # no room, or not ours to write: it is made anew each time
        return None
    return path


def forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
