"""Tables of a PDF: lines whose words begin where the cells of the line above them all do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.loaders.pdf_geometry import ALIGNED, Placed, Usual
from rag.loaders.pdf_lines import Word

Cell = tuple[Word, ...]

_LEAST_COLUMNS = 3
_LEAST_ROWS = 2
# In sizes of the usual letter: the white between cells of a head, which is not filled, and of other rows.
_HEAD_GAP, _GAP = 1.2, 0.5
# In distances of the usual lines.
_FURTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` of cells, the head first, and the line that each begins with; `lines`: how many it takes."""

    rows: tuple[tuple[Cell, ...], ...]
    begins: tuple[Placed, ...]
    lines: int


def table_at(lines: Sequence[Placed], at: int, usual: Usual) -> Table | None:
    head = lines[at]
    starts = list(_starts(head, usual))
    if len(starts) < _LEAST_COLUMNS or head.line.mono:
        return None
    rows: list[list[Cell]] = []
    begins = [head]
    end = at + 1
    while end < len(lines) and _is_near(lines[end - 1], lines[end], usual):
        cells = _cells(lines[end], starts, usual)
        if cells is None or not _take(rows, cells):
            break
        begins += [lines[end]] if len(rows) == len(begins) else []
        end += 1
    if len(rows) < _LEAST_ROWS:
        return None
    first = _cells(head, starts, usual) or []
    return Table((tuple(first), *map(tuple, rows)), tuple(begins), end - at)


def _is_near(above: Placed, placed: Placed, usual: Usual) -> bool:
    """It may go on at the top of the next page."""
    return placed.opens or abs(above.gap(placed)) <= _FURTHEST * usual.leading


def _starts(head: Placed, usual: Usual) -> Iterator[float]:
    yield head.x
    for before, word in pairwise(head.line.words):
        if word.x - before.right >= _HEAD_GAP * usual.size:
            yield word.x - head.line.x + head.x


def _cells(placed: Placed, starts: Sequence[float], usual: Usual) -> list[Cell] | None:
    """A cell for each column, some of them empty; None where the line begins at none of them."""
    cells: list[list[Word]] = [[] for _ in starts]
    column: int | None = None
    right = float("-inf")
    for word in placed.line.words:
        if word.x - right >= _GAP * usual.size:
            column = _column(word.x - placed.line.x + placed.x, starts, column)
        if column is None:
            return None
        cells[column].append(word)
        right = word.right
    return [tuple(cell) for cell in cells]


def _column(x: float, starts: Sequence[float], last: int | None) -> int | None:
    return next((at for at, start in enumerate(starts) if abs(x - start) <= ALIGNED), last)


def _take(rows: list[list[Cell]], cells: Sequence[Cell]) -> bool:
    """A row of its own, or what goes on in cells of the last one."""
    if cells[0]:
        is_row = sum(map(bool, cells)) >= len(cells) - 1
        rows += [list(cells)] if is_row else []
        return is_row
    if rows:
        rows[-1] = [(*above, *more) for above, more in zip(rows[-1], cells, strict=True)]
    return bool(rows)
