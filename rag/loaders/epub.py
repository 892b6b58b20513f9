"""Books: their chapters in reading order, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

from rag.loaders.archive import open_archive, parse_xml, properties
from rag.loaders.decoding import decode
from rag.loaders.furniture import lines
from rag.loaders.html import read
from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element
    from zipfile import ZipFile

_CONTAINER = "META-INF/container.xml"
_LOCKS = "META-INF/encryption.xml"  # fonts may be listed there without harm


def load(file: RawFile) -> Iterable[Document]:
    with open_archive(file, file.max_bytes) as book:
        package = _package(book)
        root = parse_xml(_read(book, package))
        names = list(dict.fromkeys(_reading_order(root, package)))  # each chapter once
        file.check_pages(len(names))
        locks = _read(book, _LOCKS).decode("utf-8", "replace") if _LOCKS in book.namelist() else ""
        if any(name in locks for name in names):
            raise Unreadable("encrypted")
        chapters = [read(decode(_read(book, name))) for name in names]
    text = "\n\n".join(chapter.text for chapter in chapters if chapter.text)
    left_out = lines(text for chapter in chapters for text in chapter.furniture)
    yield file.document(text, properties(root), markup="markdown", furniture=left_out)


def _package(book: ZipFile) -> str:
    rootfile = parse_xml(_read(book, _CONTAINER)).find(".//{*}rootfile")
    if rootfile is None:
        raise Unreadable(f"damaged: {_CONTAINER} names no package")
    return rootfile.get("full-path", "")


def _reading_order(root: Element, package: str) -> Iterator[str]:
    items = {item.get("id"): item for item in root.iterfind(".//{*}manifest/{*}item")}
    for reference in root.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and "html" in item.get("media-type", ""):
            yield normpath(join(dirname(package), unquote(urldefrag(item.get("href", "")).url)))


def _read(book: ZipFile, name: str) -> bytes:
    if name not in book.namelist():
        raise Unreadable(f"damaged: {name or 'the package'} is missing in it")
    return book.read(name)
