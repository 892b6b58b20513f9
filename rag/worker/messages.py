"""What the two processes say to each other: each message is its length and its bytes.

What comes from the process that reads strangers' files is taken for no more than values: of its pickles only
these classes are made.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

from rag.types import Chunk, Document, Skipped
from rag.worker.cutting import Cut, Kept, Refused

LENGTH = struct.Struct(">Q")
_VALUES = {(kind.__module__, kind.__name__): kind for kind in (Cut, Kept, Refused, Skipped, Document, Chunk)}


def framed(message: bytes) -> bytes:
    return LENGTH.pack(len(message)) + message


def packed(value: object) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpacked(message: bytes) -> Any:
    """A value of those that a file can come to."""
    return _Values(io.BytesIO(message)).load()


class _Values(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        try:
            return _VALUES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is no value of a file") from None
