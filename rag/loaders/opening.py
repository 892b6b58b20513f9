"""A file's bytes, if what is opened is still the regular file that the walk has found.

Between the walk and the read a name may have come to mean a link, a pipe or a device: nothing is followed
or waited for, and what was opened is looked at before it is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.loaders.unreadable import Unreadable

_PIECE = 1 << 20
# Where a system knows no O_NONBLOCK there are no pipes in folders either.
_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)


def leads_out(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a path ends, through links, outside of all these folders, which are free of links."""
    return not any(_real(path).is_relative_to(root) for root in roots)


def read_file(path: Path, max_bytes: int, roots: Sequence[Path] = ()) -> bytes:
    """At most `max_bytes`, from within `roots` where there are any; raises Unreadable for anything else."""
    try:
        real = _real(path)
        if roots and leads_out(real, roots):
            raise Unreadable(OUTSIDE)
        descriptor = os.open(real, _FLAGS)
        try:
            return _checked(descriptor, max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


OUTSIDE = "a link that leads out of the folder: loader.follow_links follows it"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path, strict=False))


def _checked(descriptor: int, max_bytes: int) -> bytes:
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        raise Unreadable("not a regular file")
    if info.st_size > max_bytes:
        raise Unreadable(too_large(info.st_size, max_bytes))
    data = b"".join(_pieces(descriptor, max_bytes))
    if len(data) > max_bytes:
        raise Unreadable(f"too large: it grew while it was read, and max_bytes is {max_bytes:,}")
    return data


def _pieces(descriptor: int, max_bytes: int) -> Iterator[bytes]:
    """Up to one byte more than is allowed: files of /proc and those that grow have no size that holds."""
    left = max_bytes + 1
    while left and (piece := os.read(descriptor, min(left, _PIECE))):
        left -= len(piece)
        yield piece


def too_large(size: int, max_bytes: int) -> str:
    return f"too large: {size:,} bytes, and max_bytes is {max_bytes:,}"
