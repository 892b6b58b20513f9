"""The path of headings that stands above an offset."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.chunkers.tree import Block

Title = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Outline:
    """Where each heading starts, and the path down to it (itself included)."""

    offsets: tuple[int, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()

    def path_at(self, offset: int) -> tuple[str, ...]:
        found = bisect_right(self.offsets, offset)
        return self.paths[found - 1] if found else ()


def outline(titles: Iterable[Title]) -> Outline:
    """From offset, level and text of each heading, in order."""
    offsets: list[int] = []
    paths: list[tuple[str, ...]] = []
    above: list[tuple[int, str]] = []
    for offset, level, title in titles:
        above = [heading for heading in above if heading[0] < level] + [(level, title)]
        offsets.append(offset)
        paths.append(tuple(title for _, title in above))
    return Outline(tuple(offsets), tuple(paths))


def titles(blocks: Sequence[Block]) -> Iterator[Title]:
    """Of the sections and those within them; a heading without words is none."""
    for block in blocks:
        if block.form == "section":
            if block.name:
                yield block.start, block.level, block.name
            yield from titles(block.parts)
