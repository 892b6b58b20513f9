"""Which files there are, in an order that never changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ConfigError, InputError
from rag.types import Skipped

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from rag.loaders import LoaderSettings

    Identity = tuple[int, int]


def find_files(paths: Sequence[Path], settings: LoaderSettings) -> Iterator[Path | Skipped]:
    """The files named and those in the folders named, each real file once.

    Below a folder, hidden entries and those that `exclude` matches are left out; a path that is
    named is taken as it is.
    """
    for path in paths:
        if not os.path.exists(path):  # Path.exists would raise where it may not look
            raise InputError(f"There is no file or folder {str(path)!r}.")
    excluded = _excluded(settings.exclude)
    seen: set[Identity] = set()
    return (found for path in paths for found in _walk(path, excluded, seen, settings.max_bytes))


def _excluded(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigError(f"A pattern in exclude cannot be used as in a .gitignore file: {error}.") from error


def _walk(
    root: Path, excluded: GitIgnoreSpec, seen: set[Identity], max_bytes: int
) -> Iterator[Path | Skipped]:
    folders: set[Identity] = set()  # of this root only: a folder inside another may be named as well
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            info = path.stat()
            is_folder = stat.S_ISDIR(info.st_mode)
            if path != root and excluded.match_file(path.relative_to(root).as_posix() + "/" * is_folder):
                continue
            if not _first_visit(info, folders if is_folder else seen):
                continue
            if is_folder:
                waiting += sorted(_visible(path), reverse=True)
            else:
                yield _checked(path, info, max_bytes)
        except OSError as error:
            yield Skipped(_name(path), f"cannot be opened: {error.strerror}")


def _first_visit(info: os.stat_result, seen: set[Identity]) -> bool:
    identity = (info.st_dev, info.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _visible(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _checked(path: Path, info: os.stat_result, max_bytes: int) -> Path | Skipped:
    """The path, unless reading it would hang, fill the memory, or give a name nobody can store."""
    if not stat.S_ISREG(info.st_mode):
        return Skipped(_name(path), "not a regular file")
    if info.st_size > max_bytes:
        return Skipped(_name(path), f"too large: {info.st_size:,} bytes, and max_bytes is {max_bytes:,}")
    if _name(path) != str(path):
        return Skipped(_name(path), "its name is not valid Unicode")
    return path


def _name(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()
