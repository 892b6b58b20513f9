"""What a reader sees of a document, read without the project's loaders, and where its anchors stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import Tag

READABLE = (".html", ".pdf", ".txt", ".md")
_UNSEEN = "script, style, noscript, template, svg"
_TITLES = re.compile(r"^(?:=+ (?P<marked>\S.*)|(?P<underlined>\S.*)\n(?P<line>[-~=^+]{3,}))$", re.MULTILINE)
# How PDFium marks a word that it joined over a line end.
_JOINED = re.compile("[\ufffe\x02](?:\r?\n)?")
# XHTML is read as HTML; with its declaration, the parser takes it for XML and warns.
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_LINE_ENDS = frozenset(("p", "li", "tr", "dt", "dd", "pre", "div", "br", "blockquote"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))


@dataclass(frozen=True, slots=True)
class Visible:
    """`anchors`: where each begins, in order: an HTML id, `page=N` of a PDF, a title of a text."""

    text: str
    anchors: tuple[tuple[int, str], ...]

    def before(self, offset: int) -> str:
        """The last anchor at or before the offset."""
        return next((name for start, name in reversed(self.anchors) if start <= offset), "")


def read_visible(path: Path) -> Visible:
    if path.suffix == ".html":
        return _html(path)
    return _pdf(path) if path.suffix == ".pdf" else _plain(path)


def _html(path: Path) -> Visible:
    from bs4 import BeautifulSoup

    html = _XML_DECLARATION.sub("", path.read_text("utf-8", errors="replace"))
    soup = BeautifulSoup(html, "lxml")
    for unseen in soup.select(_UNSEEN):
        unseen.decompose()
    pieces: list[str] = []
    anchors: list[tuple[int, str]] = []
    length = 0
    for piece, anchor in _walk(soup.body or soup):
        if anchor:
            anchors.append((length, anchor))
        pieces.append(piece)
        length += len(piece)
    return Visible("".join(pieces), tuple(anchors))


def _walk(tag: Tag) -> Iterator[tuple[str, str]]:
    """Text in order, each piece with the anchor that begins there, if one does."""
    from bs4.element import NavigableString, PreformattedString, Tag

    for child in tag.children:
        if isinstance(child, Tag):
            anchor = child.get("id") or (child.get("name") if child.name == "a" else "")
            if anchor:
                yield "", str(anchor)
            yield from _walk(child)
            yield (
                ("\n" if child.name in _LINE_ENDS | _HEADINGS else " " if child.name in ("td", "th") else ""),
                "",
            )
        elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
            yield str(child), ""


def _pdf(path: Path) -> Visible:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    with pypdfium2.PdfDocument(path) as pdf:
        pages = [_JOINED.sub("", page.get_textpage().get_text_range()) for page in pdf]
    starts = [sum(len(page) + 1 for page in pages[:number]) for number in range(len(pages))]
    return Visible("\n".join(pages), tuple((start, f"page={n}") for n, start in enumerate(starts, start=1)))


def _plain(path: Path) -> Visible:
    text = path.read_text("utf-8", errors="replace")
    titles = ((found.start(), _title(found)) for found in _TITLES.finditer(text))
    return Visible(text, tuple((start, title) for start, title in titles if title))


def _title(found: re.Match[str]) -> str:
    """Of a line that only looks underlined (a delimiter of a block stands under it), nothing."""
    if found["marked"]:
        return found["marked"].strip()
    close = abs(len(found["underlined"]) - len(found["line"])) <= 3
    return found["underlined"].strip() if close else ""
