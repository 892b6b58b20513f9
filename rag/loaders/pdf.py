"""PDF, page by page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rag.loaders.pdf_geometry import measure, place
from rag.loaders.pdf_headings import headings
from rag.loaders.pdf_layout import write
from rag.loaders.pdf_lines import Line, PageReader
from rag.loaders.pdf_pages import without_furniture
from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped

_PDFIUM = threading.Lock()  # the library must not be entered by two threads, be it for two files
_WRONG_PASSWORD = 4
# An outline may lead round in a circle.
_MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class _Read:
    """`outline`: page, level and title of each entry."""

    pages: list[list[Line] | Exception]
    properties: dict[str, object]
    outline: list[tuple[int, int, str]]


def load(file: RawFile) -> Iterator[Document | Skipped]:
    with _PDFIUM:
        read = _read(file)
    found = without_furniture([page if isinstance(page, list) else [] for page in read.pages])
    if not any(found.lines) and not any(isinstance(page, Exception) for page in read.pages):
        raise Unreadable(
            f"no text on any of its {len(read.pages)} pages: probably scanned, it needs OCR first"
        )
    lines = place(found.lines)
    usual = measure(lines)
    text, starts = write(lines, headings(lines, read.outline, usual), usual, len(read.pages))
    yield file.document(
        text, read.properties, markup="markdown", pages=starts, furniture=len(found.furniture)
    )
    for number, page in enumerate(read.pages, start=1):
        if isinstance(page, Exception):
            yield Skipped(f"{file.source}#page={number}", f"page {number} cannot be read: {page}")


def _read(file: RawFile) -> _Read:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    try:
        pdf = pypdfium2.PdfDocument(file.data)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("encrypted" if error.err_code == _WRONG_PASSWORD else f"damaged: {error}") from error
    with pdf:
        file.check_pages(len(pdf))
        known = pdf.get_metadata_dict()
        properties = {"title": known.get("Title") or None, "author": known.get("Author") or None}
        pages = [_page(pdf, number, pypdfium2.PdfiumError) for number in range(len(pdf))]
        return _Read(pages, properties, list(islice(_outline(pdf), _MOST_ENTRIES)))


def _outline(pdf: Any) -> Iterator[tuple[int, int, str]]:
    for entry in pdf.get_toc():
        place = entry.get_dest()
        page = place.get_index() if place else None
        if page is not None:
            yield page, entry.level + 1, entry.get_title()


def _page(pdf: Any, number: int, failure: type[Exception]) -> list[Line] | Exception:
    try:
        return list(PageReader(pdf[number]).lines())
    except failure as error:
        return error
