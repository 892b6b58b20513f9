"""Which rooms of the house a question and an ingest pass, traced while the real thing runs.

    python scripts/walk.py

A room is a file or a folder at the root of rag/, whatever lies in it; values, failures and joints (types,
errors, protocols) are no rooms. A move is a step of one thread from a room into another, into a call or back
from it, counted once however often it is taken. All parts are built before: what is walked is the way itself.
The question is asked of three files of the handbook; what is ingested is a fourth one.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import rag
from rag import Rag, Settings

HOUSE = Path(rag.__file__).parent
HANDBOOK = Path(__file__).parent.parent / "data" / "handbook"
KNOWN = ("telescopes/resetting-the-tracker.md", "weather/closing-limits.md", "guests/visitor-hall.html")
NEW = "archive/archive-access.html"
QUESTION = "At what wind gust do we have to close Dome 1?"
_NO_ROOMS = {"types", "errors", "protocols", "__init__"}
Move = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Walk:
    """Moves in the order in which they are first taken."""

    name: str
    moves: tuple[Move, ...]

    @property
    def rooms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(self.moves)))

    def __str__(self) -> str:
        head = f"{self.name}: {len(self.rooms)} rooms, {len(self.moves)} moves"
        return "\n".join([head, *(f"  {room:<13} → {self._doors(room)}" for room in self.rooms)])

    def _doors(self, room: str) -> str:
        return ", ".join(to for at, to in self.moves if at == room)


class Walker:
    """Follows every thread that starts while it is at work."""

    def __init__(self) -> None:
        self._at: dict[int, str | None] = {}
        self._moves: dict[Move, None] = {}
        self._follows = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threading.setprofile(self._step)
        sys.setprofile(self._step)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def walk(self, name: str, way: Callable[[], object]) -> Walk:
        self._at, self._moves, self._follows = {}, {}, True
        try:
            way()
        finally:
            self._follows = False
        return Walk(name, tuple(self._moves))

    def _step(self, frame: FrameType, event: str, _: Any) -> None:
        if self._follows and event in ("call", "return") and (room := room_of(frame)):
            self._go(room if event == "call" else _nearest(frame.f_back))

    def _go(self, room: str | None) -> None:
        thread = threading.get_ident()
        was, self._at[thread] = self._at.get(thread), room
        if was and room and was != room:
            self._moves[was, room] = None


def room_of(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(HOUSE):
        return None
    room = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    return None if room in _NO_ROOMS else room


def _nearest(frame: FrameType | None) -> str | None:
    """Into which room a call returns; it may have been made by a library that the room had called."""
    while frame is not None:
        if room := room_of(frame):
            return room
        frame = frame.f_back
    return None


def walks() -> list[Walk]:
    walker = Walker()
    with tempfile.TemporaryDirectory() as folder, walker.at_work():
        house = Rag(Settings(store={"kind": "embedded", "path": Path(folder)}))  # type: ignore[arg-type]  # pydantic validates
        house.ingest(*(HANDBOOK / name for name in KNOWN))
        house.ask(QUESTION)
        return [
            walker.walk("question", lambda: house.ask(QUESTION)),
            walker.walk("ingest", lambda: house.ingest(HANDBOOK / NEW)),
        ]


if __name__ == "__main__":
    print(*walks(), sep="\n\n")
