"""Which lines of a PDF are headings: those that its outline names, and those set in larger letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, takewhile

from rag.loaders.pdf_geometry import Placed, Usual
from rag.loaders.pdf_layout import Heading

Outline = Sequence[tuple[int, int, str]]
"""Page, level and title of each entry."""

_LARGER = 1.12
# In bold, the number of a section makes a heading of letters of any size.
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2})+\.?\s+\S")
_LONGEST = 160
_MOST_LINES = 3
# A number before the title, which outlines leave out.
_BEFORE = 20
_LEVELS = 6


def headings(lines: Sequence[Placed], outline: Outline, usual: Usual) -> dict[int, Heading]:
    """By the place of their first line."""
    found = dict(_outlined(lines, outline))
    taken = {line for at, heading in found.items() for line in range(at, at + heading.lines)}
    large = {at: count for at, count in _large(lines, usual) if taken.isdisjoint(range(at, at + count))}
    levels = _levels(lines, found, large)
    for at, count in large.items():
        title = " ".join(placed.line.text for placed in lines[at : at + count])
        found[at] = Heading(levels[lines[at].line.size], title, count)
    return found


def _outlined(lines: Sequence[Placed], outline: Outline) -> Iterator[tuple[int, Heading]]:
    """In the outline's order; what stands nowhere on its page is a heading at its top."""
    first = {page: next(some)[0] for page, some in groupby(enumerate(lines), key=lambda one: one[1].page)}
    reached = -1
    for page, level, title in outline:
        if page not in first or not title.split():
            continue
        start = max(first[page], reached + 1)
        at, count = _find(lines, start, page, title)
        if at > reached:
            told = " ".join(placed.line.text for placed in lines[at : at + count])
            yield at, Heading(level, told or " ".join(title.split()), count)
            reached = at + max(count - 1, 0)


def _find(lines: Sequence[Placed], start: int, page: int, title: str) -> tuple[int, int]:
    """Where the title stands, and in how many lines; the largest, as a list of contents may say it too."""
    wanted = _squeezed(title)
    found = [
        (at, count)
        for at in takewhile(lambda at: lines[at].page == page, range(start, len(lines)))
        if (count := _lines_of(lines, at, wanted))
    ]
    return max(found, key=lambda place: (lines[place[0]].line.size, -place[0]), default=(start, 0))


def _lines_of(lines: Sequence[Placed], at: int, wanted: str) -> int:
    """How many lines from there on are the title, with its number before it or not; 0 if they are not."""
    first = told = _squeezed(lines[at].line.text)
    for count in range(1, _MOST_LINES + 1):
        before = len(told) - len(wanted)
        if told.endswith(wanted) and before <= min(_BEFORE, len(first) - 1):
            return count
        if before > _BEFORE or at + count == len(lines):
            break
        told += _squeezed(lines[at + count].line.text)
    return 0


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _large(lines: Sequence[Placed], usual: Usual) -> Iterator[tuple[int, int]]:
    """Neighbouring lines in the same larger letters: where they begin, and how many they are."""
    at = 0
    for (size, _, is_heading), some in groupby(lines, key=lambda one: _style(one, usual)):
        count = len(list(some))
        if is_heading and count <= _MOST_LINES and size:
            yield at, count
        at += count


def _style(placed: Placed, usual: Usual) -> tuple[float, int, bool]:
    line = placed.line
    larger = line.size >= _LARGER * usual.size or (line.bold and _NUMBERED.match(line.text) is not None)
    large = larger and not line.mono and len(line.text) <= _LONGEST
    return line.size, placed.page, large and any(map(str.isalpha, line.text))


def _levels(
    lines: Sequence[Placed], found: Mapping[int, Heading], large: Mapping[int, int]
) -> dict[float, int]:
    """Of each size the level that the outline gives it most often; of others by rank below those."""
    told: dict[float, Counter[int]] = {}
    for at, heading in found.items():
        if heading.lines:
            told.setdefault(lines[at].line.size, Counter())[heading.level] += 1
    levels = {size: counts.most_common(1)[0][0] for size, counts in told.items()}
    level = 0
    for size in sorted({*levels, *(lines[at].line.size for at in large)}, reverse=True):
        level = levels.setdefault(size, min(level + 1, _LEVELS))
    return levels
