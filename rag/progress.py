"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as work goes on; the total of a later stage grows while files are read."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress of one who does not want to know."""
