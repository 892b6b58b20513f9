"""Files that are packed with gzip: what is inside is read as its name without `.gz` says."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from io import BytesIO

from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable

SUFFIX = ".gz"


def unpacked(file: RawFile) -> RawFile:
    """No more of it is unpacked than a file may have bytes."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(file.data)) as packed:
            data = packed.read(file.max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"damaged, or no gzip file: {error}") from error
    if len(data) > file.max_bytes:
        raise Unreadable(f"too large once unpacked: max_bytes is {file.max_bytes:,}")
    return replace(file, path=file.path.with_suffix(""), data=data)
