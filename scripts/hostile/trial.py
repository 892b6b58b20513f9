"""What is tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True)
class Trial:
    """`run(folder, ready)` says what did not hold, and nothing where all did. `folder` is its own and empty;
    `ready` has what the area prepared, and is only read."""

    what: str
    run: Callable[[Path, Path], str]


@dataclass(frozen=True, slots=True)
class Area:
    """`trials` are endless and always the same for the same seed. `short` and `long`: how many are run.

    `prepare` makes once, in a process of its own, what all of them start from.
    """

    name: str
    promise: str
    trials: Callable[[Random], Iterator[Trial]]
    short: int
    long: int
    limit_s: float = 120.0
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` is empty where it held."""

    area: str
    number: int
    what: str
    problem: str
    seconds: float
