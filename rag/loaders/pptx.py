"""Presentations: a page for each slide, with its title, tables and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rag.loaders.archive import office_properties
from rag.loaders.raw import RawFile, join_pages
from rag.types import Document

if TYPE_CHECKING:
    from pptx.slide import Slide

_FURNITURE = {"DATE", "FOOTER", "SLIDE_NUMBER"}


def load(file: RawFile) -> Iterable[Document]:
    properties = office_properties(file)
    from pptx import Presentation

    slides = Presentation(BytesIO(file.data)).slides
    file.check_pages(len(slides))
    text, starts = join_pages("\n\n".join(_blocks(slide, n)) for n, slide in enumerate(slides, start=1))
    title = properties.get("title") or next((_title(slide) for slide in slides), None)
    yield file.document(text, {**properties, "title": title or None}, markup="markdown", pages=starts)


def _title(slide: Slide) -> str:
    title = slide.shapes.title
    return " ".join(title.text_frame.text.split()) if title is not None else ""


def _blocks(slide: Slide, number: int) -> Iterator[str]:
    title = slide.shapes.title
    yield f"# {_title(slide) or f'Slide {number}'}"
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            yield from filter(None, _texts(shape))
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        yield f"Notes: {notes.text.strip()}"


def _texts(shape: Any) -> Iterator[str]:  # Any: what a shape can do depends on what it turns out to be
    if shape.is_placeholder and shape.placeholder_format.type.name in _FURNITURE:
        return
    if hasattr(shape, "shapes"):
        for member in shape.shapes:
            yield from _texts(member)
    elif getattr(shape, "has_table", False):
        yield _table([[cell.text for cell in row.cells] for row in shape.table.rows])
    elif shape.has_text_frame:
        yield shape.text_frame.text.strip()


def _table(rows: list[list[str]]) -> str:
    lines = [
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in rows
    ]
    rule = "|" + " --- |" * max(map(len, rows), default=0)
    return "\n".join([*lines[:1], rule, *lines[1:]])
