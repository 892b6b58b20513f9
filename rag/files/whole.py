"""A file that is written whole or not at all, whenever the process dies.

Whoever writes holds a lock: two processes never write the same file at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yields where to write. At the end that takes the file's place; after an error it is removed."""
    fresh = path.with_name(f"{path.name}.tmp")
    fresh.unlink(missing_ok=True)  # a killed process may have left one
    try:
        yield fresh
        with fresh.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    with whole(path) as fresh:
        fresh.write_bytes(content)
