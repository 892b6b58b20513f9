"""The ZIP files that docx, pptx, xlsx and epub are."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from io import BytesIO
from xml.etree.ElementTree import Element

from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable

_OFFICE_RATIO = 20  # an honest document, mostly XML, grows about tenfold

TITLE = "{http://purl.org/dc/elements/1.1/}title"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"


def open_archive(file: RawFile, max_bytes: int) -> zipfile.ZipFile:
    """The archive, if it is whole, unlocked, and unpacks to no more than `max_bytes`."""
    try:
        archive = zipfile.ZipFile(BytesIO(file.data))
    except zipfile.BadZipFile as error:
        raise Unreadable(f"damaged, or no {file.format} file: {error}") from error
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise Unreadable("encrypted")
    _check_size(entries, max_bytes)
    return archive


def _check_size(entries: Iterable[zipfile.ZipInfo], max_bytes: int) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > max_bytes:
        raise Unreadable(f"too large once unpacked: {size:,} bytes, and {max_bytes:,} are allowed")


def office_properties(file: RawFile, streamed: bool = False) -> dict[str, object]:
    """Title and author of an Office file that is safe to unpack. What is not streamed is read as one tree."""
    with open_archive(file, _OFFICE_RATIO * file.max_bytes) as archive:
        if not streamed:
            _check_size(
                [entry for entry in archive.infolist() if entry.filename.endswith(".xml")], file.max_bytes
            )
        if "docProps/core.xml" not in archive.namelist():
            return {}
        return properties(parse_xml(archive.read("docProps/core.xml")))


def properties(root: Element) -> dict[str, object]:
    return {"title": _words(root, TITLE), "author": _words(root, CREATOR)}


def _words(root: Element, tag: str) -> str | None:
    return " ".join((root.findtext(f".//{tag}") or "").split()) or None


def parse_xml(data: bytes) -> Element:
    from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]  # it ships no types

    root: Element = fromstring(data)
    return root
