"""What a generator may be built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.protocols import SpannedEncoder, TokenSource


@dataclass(frozen=True, slots=True)
class Parts:
    """`encoder` turns texts into token vectors, with the model that reads the questions; `stored` has those
    of passages that it has encoded before."""

    encoder: Callable[[], SpannedEncoder]
    stored: TokenSource
