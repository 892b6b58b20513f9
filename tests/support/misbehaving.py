"""Chunkers that do what a parser may do on a hostile file. They are sent to the process that cuts."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.chunkers.passages import Piece, make_chunk
from rag.types import Chunk, Document


@dataclass(frozen=True)
class Misbehaving:
    """A passage a document, unless the document's text names something worse."""

    fingerprint: str = "misbehaving"

    def chunk(self, document: Document) -> Sequence[Chunk]:
        act = _ACTS.get(document.text.strip())
        if act:
            act()
        return [make_chunk(document, 0, Piece(0, len(document.text)), (), document.text)]


def _never_end() -> None:
    while True:
        pass


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(10_000_000))


def _flood() -> None:
    print("what a parser says\n" * 100_000, flush=True)  # noqa: T201 - that is the point
    sys.stderr.write("what it complains of\n" * 100_000)


def _fail() -> None:
    raise ValueError("no such passage")


_ACTS: dict[str, Callable[[], object]] = {
    "never end": _never_end,
    "sleep": lambda: time.sleep(1000),
    "eat": _eat,
    "flood": _flood,
    "fail": _fail,
    "fall": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "leave": lambda: os._exit(3),
    "be interrupted": lambda: os.kill(os.getpid(), signal.SIGINT),
}
