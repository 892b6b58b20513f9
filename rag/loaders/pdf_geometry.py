"""What the places of lines tell of a PDF: its usual letters, distances and margins, and where definitions
stand beside their terms."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag.loaders.pdf_lines import Line

# In sizes of the usual letter.
_LEAST_STEP = 1.2
_LEAST_GAP = 0.5
# In distances of the usual lines.
_CLOSE = 1.14
_APART = 2.2
_LEAST_PAIRS = 2
# Points by which what is aligned may differ.
ALIGNED = 1.5
_MOSTLY_CODE = 0.5
# The indents that are compared, and how good two margins must be to be one.
_COMMON = 12
_AS_GOOD = 0.8
_AS_COMMON = 0.25

_SIGN = re.compile(r"[•◦‣▪▫●○■□∙⁃\uf0b7]\Z")
_NUMBER_OR_DASH = re.compile(r"(?:[-–—*·]|\(?(?:\d{1,3}|[a-z])[.)])\Z")


@dataclass(frozen=True, slots=True)
class Placed:
    """A line with `x` counted from its page's margin. `opens`: the first of its page or column."""

    line: Line
    page: int
    x: float = 0.0
    opens: bool = False

    def gap(self, below: Placed) -> float:
        return self.line.last - below.line.y


@dataclass(frozen=True, slots=True)
class Usual:
    """`columns`: the indents of terms, each with that of the definitions beside or below them."""

    size: float
    leading: float
    right: float
    columns: tuple[tuple[float, float], ...] = ()

    def is_close(self, above: Placed, below: Placed) -> bool:
        return not below.opens and above.gap(below) <= _CLOSE * self.leading

    def is_apart(self, above: Placed, below: Placed) -> bool:
        return not below.opens and above.gap(below) > _APART * self.leading


def place(pages: Sequence[Sequence[Line]]) -> list[Placed]:
    """The lines of all pages in order. What is set in letters of one width throughout has no code in them."""
    lines = [line for page in pages for line in page]
    if sum(len(line.text) for line in lines if line.mono) > _MOSTLY_CODE * sum(len(x.text) for x in lines):
        pages = [[_without_mono(line) for line in page] for page in pages]
    margins = _margins(pages)
    return [placed for at, page in enumerate(pages) for placed in _of_page(page, at, margins[at % 2])]


def _without_mono(line: Line) -> Line:
    return replace(line, words=tuple(replace(word, mono=False) for word in line.words))


def _margins(pages: Sequence[Sequence[Line]]) -> tuple[float, float]:
    """Of even and odd pages: those of a book are shifted against each other by as much as makes most lines
    of both begin at the same places."""
    even, odd = (Counter(round(line.x) for page in pages[side::2] for line in page) for side in (0, 1))
    shifts = Counter(b - a for a in _often(even) for b in _often(odd))
    worth = {shift: sum(min(n, odd[x + shift]) for x, n in even.items()) for shift in shifts}
    best = max(worth, key=lambda shift: (worth[shift], -abs(shift)), default=0)
    shift = 0 if worth.get(0, 0) >= _AS_GOOD * worth.get(best, 0) else best
    left = float(min(_often(even), default=0))
    return left, left + shift


def _often(edges: Counter[int]) -> list[int]:
    return [x for x, _ in edges.most_common(_COMMON)]


def _of_page(page: Sequence[Line], number: int, margin: float) -> Iterator[Placed]:
    columns = list(_columns(page))
    for column in columns:
        left = min(line.x for line in column) if len(columns) > 1 else margin
        for at, line in enumerate(column):
            yield Placed(line, number, round(line.x - left, 1), at == 0)


def _columns(page: Sequence[Line]) -> Iterator[list[Line]]:
    """Where a line stands well above the one before it, a column begins."""
    column: list[Line] = []
    for line in page:
        if column and line.y > column[-1].last + 3 * max(line.size, 1.0):
            yield column
            column = []
        column.append(line)
    if column:
        yield column


def measure(lines: Sequence[Placed]) -> Usual:
    sizes: Counter[float] = Counter()
    for placed in lines:
        sizes[placed.line.size] += len(placed.line.text)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    same = [
        (above, below)
        for above, below in pairwise(lines)
        if not below.opens and above.line.size == below.line.size == size and above.gap(below) > size / 2
    ]
    gaps = Counter(round(above.gap(below), 1) for above, below in same)
    leading = _usual_gap(gaps) if gaps else 1.2 * size
    rights = [placed.line.words[-1].right for placed in lines if placed.line.words]
    right = statistics.quantiles(rights, n=20)[-1] if len(rights) > 1 else 0.0
    usual = Usual(size, leading, right)
    return replace(usual, columns=tuple(_term_columns(lines, usual)))


def _usual_gap(gaps: Counter[float]) -> float:
    """The least of the common distances: items of a list may stand further apart than lines do."""
    near = {gap: sum(gaps[round(gap + step / 10, 1)] for step in (-1, 0, 1)) for gap in gaps}
    common = [gap for gap, count in near.items() if count >= _AS_COMMON * max(near.values())]
    return max((gap for gap in common if gap <= min(common) + 0.2), key=lambda gap: near[gap])


def _term_columns(lines: Sequence[Placed], usual: Usual) -> Iterator[tuple[float, float]]:
    found: Counter[tuple[int, int]] = Counter()
    for above, below in pairwise(lines):
        if below.x - above.x < _LEAST_STEP * usual.size:
            continue
        beside = split_at(above, below.x, usual) is not None and usual.is_close(above, below)
        is_term = is_label(above.line) and not is_label(below.line) and not usual.is_apart(above, below)
        if not below.opens and (beside or is_term):
            found[round(above.x), round(below.x)] += 1
    for (term, body), count in found.items():
        if count >= _LEAST_PAIRS:
            yield float(term), float(body)


def split_at(placed: Placed, x: float, usual: Usual) -> int | None:
    """The word that begins at that indent, after a gap as wide as between columns."""
    words, offset = placed.line.words, placed.line.x - placed.x
    for at, (before, word) in enumerate(pairwise(words), start=1):
        if word.x < before.x:  # the rest stands on the next line
            return None
        if abs(word.x - offset - x) <= ALIGNED and word.x - before.right >= _LEAST_GAP * usual.size:
            return at
    return None


def is_label(line: Line) -> bool:
    """Set as names and terms are: all in letters of one width, or all in bold."""
    return line.mono or line.bold


def is_bullet(placed: Placed, below: Placed | None, before: float | None) -> bool:
    """A bullet with its text beside it; a dash or number only where it is set as one. `before`: the indent of
    the item before it."""
    words = placed.line.words
    if len(words) < 2 or words[0].mono:  # a name of one letter
        return False
    if _SIGN.match(words[0].text):
        return True
    if not _NUMBER_OR_DASH.match(words[0].text):
        return False
    if placed.x > ALIGNED or (before is not None and abs(placed.x - before) <= ALIGNED):
        return True
    body = words[1].x - placed.line.x + placed.x
    return below is not None and not below.opens and _hangs_or_follows(placed, below, body)


def _hangs_or_follows(placed: Placed, below: Placed, body: float) -> bool:
    if abs(below.x - body) <= ALIGNED:
        return True
    return abs(below.x - placed.x) <= ALIGNED and _NUMBER_OR_DASH.match(below.line.words[0].text) is not None
