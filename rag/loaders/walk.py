"""Which files there are, in an order that never changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ConfigError, InputError
from rag.loaders.opening import leads_out, too_large
from rag.types import Skipped

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from rag.loaders import LoaderSettings

    Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LeadsOut:
    """A link to what is not in the folder. It is left out as a hidden file is, but said."""

    path: Path


Found = Path | Skipped | LeadsOut


def find_files(paths: Sequence[Path], settings: LoaderSettings) -> Iterator[Found]:
    """The files named and those in the folders named, each real file once.

    Below a folder, hidden entries and those that `exclude` matches are left out, and so is what a link
    leads to outside of all that is named, unless `follow_links`; a path that is named is taken as it is.
    """
    require(paths)
    walk = _Walk(_excluded(settings.exclude), settings.max_bytes, reach(paths, settings))
    return (found for path in paths for found in walk.below(path))


def require(paths: Sequence[Path]) -> None:
    for path in paths:
        if not os.path.exists(path):  # Path.exists would raise where it may not look
            raise InputError(f"There is no file or folder {str(path)!r}.")


def reach(paths: Sequence[Path], settings: LoaderSettings) -> tuple[Path, ...]:
    """The real places that a link may lead to; none where it may lead anywhere."""
    return () if settings.follow_links else tuple(Path(os.path.realpath(path)) for path in paths)


def _excluded(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigError(f"A pattern in exclude cannot be used as in a .gitignore file: {error}.") from error


@dataclass(frozen=True, slots=True)
class _Walk:
    excluded: GitIgnoreSpec
    max_bytes: int
    roots: Sequence[Path]
    seen: set[Identity] = field(default_factory=set)

    def below(self, root: Path) -> Iterator[Found]:
        folders: set[Identity] = set()  # of this root only: a folder inside another may be named as well
        waiting = [root]
        while waiting:
            path = waiting.pop()
            try:
                info = path.stat()
                is_folder = stat.S_ISDIR(info.st_mode)
                if path != root and self._is_excluded(path.relative_to(root), is_folder):
                    continue
                if path != root and self._leads_out(path):
                    yield LeadsOut(path)
                    continue
                if not _first_visit(info, folders if is_folder else self.seen):
                    continue
                if is_folder:
                    waiting += sorted(_visible(path), reverse=True)
                else:
                    yield _checked(path, info, self.max_bytes)
            except OSError as error:
                yield Skipped(_name(path), f"cannot be opened: {error.strerror}")

    def _is_excluded(self, inside: Path, is_folder: bool) -> bool:
        return self.excluded.match_file(inside.as_posix() + "/" * is_folder)

    def _leads_out(self, path: Path) -> bool:
        """Only a link can: what it leads to is entered by no other way."""
        return bool(self.roots) and path.is_symlink() and leads_out(path, self.roots)


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
        return Skipped(_name(path), too_large(info.st_size, max_bytes))
    if _name(path) != str(path):
        return Skipped(_name(path), "its name is not valid Unicode")
    return path


def _name(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()
