"""Workbooks: a heading for each sheet, a paragraph for each row."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, time
from io import BytesIO

from rag.loaders.archive import office_properties
from rag.loaders.raw import RawFile
from rag.loaders.rows import paragraphs
from rag.types import Document

# As Excel has it. A file may claim a cell far below, and all rows above that are read as empty ones.
_MOST_ROWS = 1_048_576


def load(file: RawFile) -> Iterable[Document]:
    properties = office_properties(file, streamed=True)
    text = "\n\n".join(_blocks(file.data))
    yield file.document(text, properties, markup="markdown")


def _blocks(data: bytes) -> Iterator[str]:
    import openpyxl

    with warnings.catch_warnings(action="ignore"):  # of styles and validations that play no part here
        workbook = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
        with closing(workbook):
            for sheet in workbook.worksheets:
                sheet.reset_dimensions()  # a file may claim a million rows and hold three
                rows = (
                    [_words(cell) for cell in row]
                    for row in sheet.iter_rows(max_row=_MOST_ROWS, values_only=True)
                )
                if found := list(paragraphs(rows)):
                    yield f"# {sheet.title}"
                    yield from found


def _words(cell: object) -> str:
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)
