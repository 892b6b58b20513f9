"""Web pages: the part that people read, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.loaders import furniture
from rag.loaders.decoding import decode
from rag.loaders.markdown import first_heading
from rag.loaders.page import Anchors, write
from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([-\w]+)""", re.IGNORECASE)
_DEEPEST = 400
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")


@dataclass(frozen=True, slots=True)
class Page:
    """`furniture`: the texts of what was left out because it belongs to the site, not to the page."""

    title: str | None
    text: str
    anchors: Anchors = ()
    furniture: tuple[str, ...] = ()


def load(file: RawFile) -> Iterable[Document]:
    charset = _CHARSET.search(file.data[:2048])
    page = read(decode(file.data, charset[1].decode() if charset else ""))
    furniture.refuse_nothing_else(page.text, page.furniture)
    yield file.document(
        page.text,
        {"title": page.title},
        markup="markdown",
        anchors=page.anchors,
        furniture=furniture.lines(page.furniture),
    )


def read(html: str) -> Page:
    from bs4 import BeautifulSoup

    # The line end tells BeautifulSoup that this is no file name, of which it would warn.
    soup = BeautifulSoup(_XML_DECLARATION.sub("", html) + "\n", "lxml")
    _refuse_deep(soup)
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    left_out = furniture.take_out(soup)
    content = _content(soup)
    written = write(content)
    around = furniture.around(soup, content)
    return Page(title or first_heading(written.text), written.text, written.anchors, (*left_out, *around))


def _refuse_deep(soup: BeautifulSoup) -> None:
    """Tags that are never closed stand within each other: what looks into each of them would never end."""
    depths = {id(soup): 0}
    for tag in soup.find_all(True):
        depth = depths[id(tag)] = depths[id(tag.parent)] + 1
        if depth > _DEEPEST:
            raise Unreadable("nested too deeply to be read")


def _content(soup: BeautifulSoup) -> Tag:
    """What the page itself calls its content: <main>, or the one <article>; else all of it."""
    main, articles = soup.select_one("main, [role=main]"), soup.find_all("article")
    chosen = main or (articles[0] if len(articles) == 1 else None)
    return chosen if chosen and chosen.get_text(strip=True) else soup.body or soup
