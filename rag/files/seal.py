"""A seal over files: whoever reads them later knows whether they are as their writer left them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from rag.files.whole import write_whole

_PART = 1 << 20
Seal = Mapping[str, tuple[int, int]]


def seal(file: Path, folder: Path, which: Callable[[str], bool]) -> None:
    """Writes size and checksum of each of the folder's files whose name `which` is true of."""
    sums = {name: _sum(path) for name, path in _files(folder) if which(name)}
    write_whole(file, json.dumps(sums).encode())


def read_seal(file: Path) -> Seal | None:
    """None where there is none that can be read."""
    try:
        return {name: (size, crc) for name, (size, crc) in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def changed(sealed: Seal, folder: Path, gone: bool) -> list[str]:
    """The files that are not as they were; with `gone`, also those that are no more."""
    return [name for name, was in sealed.items() if _differs(folder / name, was, gone)]


def _differs(path: Path, was: tuple[int, int], gone: bool) -> bool:
    try:
        return path.stat().st_size != was[0] or _sum(path) != was
    except FileNotFoundError:
        return gone
    except OSError:
        return True


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(str(path.relative_to(folder)), path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _sum(path: Path) -> tuple[int, int]:
    size = crc = 0
    with path.open("rb") as file:
        while part := file.read(_PART):
            size, crc = size + len(part), zlib.crc32(part, crc)
    return size, crc
