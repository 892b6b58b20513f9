"""Web pages: the part that people read, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from rag.loaders.decoding import decode
from rag.loaders.markdown import first_heading
from rag.loaders.raw import RawFile
from rag.types import Document

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from markdownify import MarkdownConverter

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([-\w]+)""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")
_FURNITURE = (
    "script, style, noscript, template, svg, nav, footer, aside, a.headerlink, "
    "[hidden], [role=navigation], [role=contentinfo], .navheader, .navfooter"  # the last two: DocBook
)


def load(file: RawFile) -> Iterable[Document]:
    charset = _CHARSET.search(file.data[:2048])
    title, text = to_markdown(decode(file.data, charset[1].decode() if charset else ""))
    yield file.document(text, {"title": title}, markup="markdown")


def to_markdown(html: str) -> tuple[str | None, str]:
    """The title of a page and its content."""
    from bs4 import BeautifulSoup

    # The line end tells BeautifulSoup that this is no file name, of which it would warn.
    soup = BeautifulSoup(_XML_DECLARATION.sub("", html) + "\n", "lxml")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for furniture in soup.select(_FURNITURE):
        furniture.decompose()
    text = _converter().convert_soup(_content(soup)).strip()
    return title or first_heading(text), text


def _content(soup: BeautifulSoup) -> Tag:
    """What the page itself calls its content: <main>, or the one <article>; else all of it."""
    main, articles = soup.select_one("main, [role=main]"), soup.find_all("article")
    chosen = main or (articles[0] if len(articles) == 1 else None)
    return chosen if chosen and chosen.get_text(strip=True) else soup.body or soup


@cache
def _converter() -> MarkdownConverter:
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Keeps an address only where it means something outside the page, and of images the words."""

        def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            address = str(el.get("href") or "")
            if address.startswith(("http:", "https:", "mailto:")) and "_inline" not in parent_tags:
                return f"[{text.strip()}]({address})" if text.strip() not in ("", address) else text
            return text

        def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return str(el.get("alt") or "")

        def convert_title(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return ""

    return Converter(
        heading_style="ATX",
        bullets="-",
        escape_asterisks=False,  # the text is read by models and people, not rendered
        escape_underscores=False,
        table_infer_header=True,
    )
