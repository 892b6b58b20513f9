"""What is made of a model once and kept on disk: by one process, however many want it at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from filelock import FileLock


def folder() -> Path:
    """Where the system keeps what can be made again."""
    system = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(system).expanduser() / "rag"


def kept(name: str, make: Callable[[], bytes]) -> Path | None:
    """The file of this name, made if it is not there; None where nothing can be kept."""
    path = folder() / name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                _write(path, make())
    except OSError:  # no room, or not ours to write: it is made anew each time
        return None
    return path


def forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: a reader never sees half a file, whenever this process dies."""
    descriptor, temporary = mkstemp(dir=path.parent, prefix=path.stem)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        forget(Path(temporary))
        raise
