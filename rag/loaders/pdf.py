"""PDF, page by page."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

from rag.loaders.raw import RawFile, join_pages
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped

_PDFIUM = threading.Lock()  # the library must not be entered by two threads, be it for two files
_WRONG_PASSWORD = 4
_HYPHENATION = re.compile("[\ufffe\x02](?:\r?\n)?")  # how PDFium marks a word that it joined again


def load(file: RawFile) -> Iterator[Document | Skipped]:
    with _PDFIUM:
        pages, properties = _read(file.data)
    texts = [page for page in pages if isinstance(page, str)]
    text, starts = join_pages(page if isinstance(page, str) else "" for page in pages)
    if not text.strip() and len(texts) == len(pages):
        raise Unreadable(f"no text on any of its {len(pages)} pages: probably scanned, it needs OCR first")
    yield file.document(text, properties, pages=starts)
    for number, page in enumerate(pages, start=1):
        if isinstance(page, Exception):
            yield Skipped(f"{file.source}#page={number}", f"page {number} cannot be read: {page}")


def _read(data: bytes) -> tuple[list[str | Exception], dict[str, object]]:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("encrypted" if error.err_code == _WRONG_PASSWORD else f"damaged: {error}") from error
    with pdf:
        known = pdf.get_metadata_dict()
        properties = {"title": known.get("Title") or None, "author": known.get("Author") or None}
        return [_page(pdf, number, pypdfium2.PdfiumError) for number in range(len(pdf))], properties


def _page(pdf: Any, number: int, failure: type[Exception]) -> str | Exception:
    try:
        text: str = pdf[number].get_textpage().get_text_range()
    except failure as error:
        return error
    return _HYPHENATION.sub("", text)
