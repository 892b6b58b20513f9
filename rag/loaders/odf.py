"""OpenDocument: texts as a page, sheets as rows, presentations slide by slide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from rag.loaders.archive import open_archive, parse_xml, properties
from rag.loaders.html import read
from rag.loaders.raw import RawFile, join_pages
from rag.loaders.rows import paragraphs
from rag.loaders.unreadable import Unreadable
from rag.types import Document

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_OPEN = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _DRAW = (f"{{{_OPEN}{name}:1.0}}" for name in ("text", "table", "drawing"))
_OFFICE = f"{{{_OPEN}office:1.0}}"
_PRESENTATION = f"{{{_OPEN}presentation:1.0}}"
# Deleted text of tracked changes, remarks, and tables of contents are no text of the document.
_NOT_SHOWN = {f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}table-of-content"}
_TAGS = {
    f"{_TEXT}p": "p",
    f"{_TEXT}list": "ul",
    f"{_TEXT}list-item": "li",
    f"{_TABLE}table": "table",
    f"{_TABLE}table-row": "tr",
    f"{_TABLE}table-cell": "td",
}
# A cell or row may say that it stands there a million times.
_MOST_REPEATED = 100


def load_text(file: RawFile) -> Iterable[Document]:
    body, about = _content(file)
    page = read(f"<body>{''.join(_html(body))}</body>")
    yield file.document(page.text, {**about, "title": about.get("title") or page.title}, markup="markdown")


def load_sheets(file: RawFile) -> Iterable[Document]:
    body, about = _content(file)
    blocks: list[str] = []
    for table in body.iter(f"{_TABLE}table"):
        if found := list(paragraphs(_rows(table))):
            blocks += [f"# {table.get(f'{_TABLE}name', '')}".rstrip(), *found]
    yield file.document("\n\n".join(blocks), about, markup="markdown")


def load_slides(file: RawFile) -> Iterable[Document]:
    body, about = _content(file)
    slides = list(body.iter(f"{_DRAW}page"))
    file.check_pages(len(slides))
    text, starts = join_pages(_slide(slide, number) for number, slide in enumerate(slides, start=1))
    yield file.document(text, about, markup="markdown", pages=starts)


def _content(file: RawFile) -> tuple[Element, dict[str, object]]:
    with open_archive(file, file.max_bytes) as archive:
        names = archive.namelist()
        if "content.xml" not in names:
            raise Unreadable("damaged: content.xml is missing in it")
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise Unreadable("encrypted")
        root = parse_xml(archive.read("content.xml"))
        about = properties(parse_xml(archive.read("meta.xml"))) if "meta.xml" in names else {}
    body = root.find(f"{_OFFICE}body")
    if body is None:
        raise Unreadable("damaged: it has no body")
    return body, about


def _slide(slide: Element, number: int) -> str:
    titles = [frame for frame in slide.iter() if frame.get(f"{_PRESENTATION}class") == "title"]
    title = " ".join("".join(titles[0].itertext()).split()) if titles else ""
    others = [part for part in slide if part not in titles]
    page = read(f"<body>{''.join(html for part in others for html in _html(part))}</body>")
    return f"# {title or f'Slide {number}'}\n\n{page.text}"


def _html(element: Element) -> Iterator[str]:
    """The element as HTML, which the reader of pages makes Markdown of."""
    if element.tag in _NOT_SHOWN:
        return
    tag = _TAGS.get(element.tag, "")
    if element.tag == f"{_TEXT}h":
        level = element.get(f"{_TEXT}outline-level", "1")
        tag = f"h{min(int(level), 6)}" if level.isdigit() and level != "0" else "h1"
    yield f"<{tag}>" if tag else ""
    yield _spaces(element) + escape(element.text or "")
    for child in element:
        yield from _html(child)
        yield escape(child.tail or "")
    yield f"</{tag}>" if tag else ""


def _spaces(element: Element) -> str:
    if element.tag == f"{_TEXT}line-break":
        return "<br>"
    return " " if element.tag in (f"{_TEXT}s", f"{_TEXT}tab") else ""


def _rows(table: Element) -> Iterator[list[str]]:
    for row in table.iter(f"{_TABLE}table-row"):
        cells = [value for cell in row for value in _cell(cell)]
        if any(cells):
            yield from [cells] * _repeated(row, "rows")


def _cell(cell: Element) -> list[str]:
    words = "\n".join("".join(part.itertext()) for part in cell.iter(f"{_TEXT}p"))
    return [words] * _repeated(cell, "columns")


def _repeated(element: Element, what: str) -> int:
    times = element.get(f"{_TABLE}number-{what}-repeated", "1")
    return min(int(times), _MOST_REPEATED) if times.isdigit() else 1
