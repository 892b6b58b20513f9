"""What a generator may be built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.protocols import TokenEncoder


@dataclass(frozen=True, slots=True)
class Parts:
    """`encoder` turns sentences into token vectors, with the model that reads the questions."""

    encoder: Callable[[], TokenEncoder]
