"""What is known of a set of documents: its package, and which of its files are taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ManualSet:
    """`version` is the one for which the questions were written; of `folder`, the files named are taken.

    `fits`: its questions are there to fit confidence on, so no measure may count them.
    `kept`: they are all of the held half, and asked only where the set is named.
    """

    name: str
    package: str
    version: str
    folder: str
    files: tuple[str, ...]
    form: str
    fits: bool = False
    kept: bool = False


def named(stems: str, suffix: str) -> tuple[str, ...]:
    return tuple(f"{stem}{suffix}" for stem in stems.split())
