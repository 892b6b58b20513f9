"""Tables as paragraphs: each row says by itself what its cells mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

Row = Sequence[str]
_NUMBER = re.compile(r"[-+$€£ ]*\d[\d.,:/ %€$£-]*$")
_YEAR = re.compile(r"(?:19|20)\d\d$")


def paragraphs(table: Iterable[Row]) -> Iterator[str]:
    """`Header: value; Header: value` for each row; only the values where there is no header."""
    rows = [tidy for row in table if any(tidy := [" ".join(cell.split()) for cell in row])]
    if max((_filled(row) for row in rows), default=0) < 2:
        yield from ("; ".join(filter(None, row)) for row in rows)
        return
    start = next(at for at, row in enumerate(rows) if _filled(row) > 1)
    yield from ("; ".join(filter(None, row)) for row in rows[:start])  # a caption above the table
    header: Row = rows[start] if len(rows) > start + 1 and is_header(rows[start], rows[start + 1]) else ()
    yield from (_sentence(header, row) for row in rows[start + bool(header) :])


def _filled(row: Row) -> int:
    return sum(map(bool, row))


def is_header(row: Row, below: Row) -> bool:
    """Names, each once. Numbers are data, except for years that have no year below them."""
    names = list(filter(None, row))
    data = (
        _NUMBER.match(name) and (not _YEAR.match(name) or _YEAR.match(value))
        for name, value in zip_longest(row, below, fillvalue="")
    )
    return len(set(names)) == len(names) and not any(data)


def _sentence(header: Row, row: Row) -> str:
    pairs = zip_longest(header[: len(row)], row, fillvalue="")
    return "; ".join(f"{name}: {value}" if name else value for name, value in pairs if value)
