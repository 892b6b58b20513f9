"""What belongs to the site and not to the page: navigation, contents, indexes of links, last lines.

It is left out of a document's text and its lines are counted, so that nothing is lost in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rag.loaders.page import classes, words
from rag.loaders.unreadable import Unreadable

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_SILENT = words("script style noscript template svg")
# By what pages call it: HTML's own elements and roles, then the names that generators give.
_ELEMENTS = words("nav footer")
_ROLES = words("navigation contentinfo search")
_CLASSES = words("""
    navheader navfooter sphinxsidebar toctree-wrapper nav-panel shortcontents region-contents
    toplang bottomlang up breadcrumb breadcrumbs skip-link sidebar-nav
""")
_IDS = words("toc footer page-header page-footer quickview")
_CONTENTS = words("toc contents")
_LISTS = words("ul ol dl table")
_KEPT_ASIDES = words("admonition footnote footnote-list topic sidebar note tip warning citation")
_WAY = re.compile(
    r"\b(?:prev(?:ious)?|next|up|home|top|back|contents|table of contents|index|start|forward|page|section"
    r"|chapter)\b|[^\w]+",
    re.IGNORECASE,
)
_LAST_LINE = re.compile(
    r"(?:(?:this (?:page|document|file) )?(?:was )?last (?:updated|modified|changed|revised|generated)\b"
    r"|(?:this (?:page|document) was )?(?:generated|created|built) (?:by|using|with|on)\b"
    r"|(?:copyright|©|\(c\) )|powered by\b)",
    re.IGNORECASE,
)
_LONGEST_LINE = 240
# A row of a page's navigation is short; a list of links long enough to be one is contents or an index.
_LONGEST_ROW = 400
_LEAST_LINKS = 8
_LEAST_MENU = 2
_NO_TRAIL = ["pre", "code", "a"]
_ENTRIES = words("li dd dt td th blockquote")
_ARROW = re.compile(r"^\s*[>»›]\s|\s[>»›]\s*$")
_CRUMBS = re.compile(r"[^>»›]{1,60}(?: [>»›] [^>»›]{1,60}){2,}")
_LAST_BLOCKS = words("div p address small section article main hr br table")
_WHOLE = words("body main article html [document]")
_INLINE = words("a span b i em strong small code tt sup font")
_MOSTLY = 0.9
_PILCROWS = ("¶", "§", "🔗")


def take_out(soup: BeautifulSoup) -> tuple[str, ...]:
    """Removes it from the page, and returns its texts."""
    _remove(tag for tag in soup.find_all(True) if _is_silent(tag))
    left_out = _remove(tag for tag in soup.find_all(True) if _is_named(tag))
    left_out += _remove([*_rows(soup), *_link_lists(soup)])
    while (last := _last_line(soup)) is not None:
        left_out += _remove([last])
    return tuple(filter(None, left_out))


def around(soup: BeautifulSoup, content: Tag) -> tuple[str, ...]:
    """What stands outside of what the page calls its content."""
    if soup.body is None or content is soup.body or content is soup:
        return ()
    content.extract()
    return tuple(filter(None, [_text(soup.body)]))


def lines(texts: Iterable[str]) -> int:
    return sum(text.count("\n") + 1 for text in texts)


def refuse_nothing_else(text: str, texts: Sequence[str]) -> None:
    """A page that is a list of links, or a frame around nothing, is named in the report."""
    told = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if texts and not told:
        raise Unreadable(f"nothing but furniture: {lines(texts)} lines of navigation, contents or index")


def _is_silent(tag: Tag) -> bool:
    return tag.name in _SILENT or tag.has_attr("hidden") or (tag.name == "a" and _is_pilcrow(tag))


def _is_pilcrow(tag: Tag) -> bool:
    return "headerlink" in classes(tag) or (not _is_long(tag) and tag.get_text(strip=True) in _PILCROWS)


def _remove(tags: Iterable[Tag]) -> list[str]:
    """The outermost of them; what stands in one of them goes with it."""
    chosen = {id(tag): tag for tag in tags}
    outermost = [tag for tag in chosen.values() if not any(id(above) in chosen for above in tag.parents)]
    return [_text(tag.extract()) for tag in outermost]


def _is_named(tag: Tag) -> bool:
    if tag.name in _ELEMENTS or tag.get("role") in _ROLES or tag.get("id") in _IDS:
        return True
    named = classes(tag)
    if tag.name == "aside":
        return not named & _KEPT_ASIDES
    if tag.name in ("div", "dl") and named & _CONTENTS:
        return "topic" in named or "local" in named or tag.find(("h1", "p", "pre")) is None or _is_index(tag)
    if tag.name == "header" or (tag.name == "div" and "header" in named):
        return (
            tag.find("h1") is None and tag.parent is not None and tag.find_parent(["article", "main"]) is None
        )
    return bool(named & _CLASSES)


def _text(tag: Tag) -> str:
    return "\n".join(line for line in (" ".join(s.split()) for s in tag.get_text("\n").split("\n")) if line)


def _rows(soup: BeautifulSoup) -> Iterator[Tag]:
    """Prev, Up, Next: the largest short block that says nothing beside its links. And breadcrumbs."""
    ways = (link for link in soup.find_all("a") if not _is_long(link) and _is_way(_spoken(link)))
    crumbs = (arrow for arrow in soup.find_all(string=_ARROW) if arrow.find_parent(_NO_TRAIL) is None)
    for start, is_one in [*((way, _is_row) for way in ways), *((crumb, _is_trail) for crumb in crumbs)]:
        row = None
        for above in start.parents:
            if above.name in _WHOLE or _is_long(above) or len(_spoken(above)) > _LONGEST_ROW:
                break
            if above.name not in _INLINE and is_one(above):
                row = above
        if row is not None:
            yield row


def _is_long(tag: Tag) -> bool:
    """Told by its beginning: a page may have thousands of links, each of them within all of it."""
    size = 0
    for text in tag.strings:
        size += 1 + len(text.strip())
        if size > 2 * _LONGEST_ROW:
            return True
    return False


def _is_trail(tag: Tag) -> bool:
    """Of links, with arrows between them; a page that consists of it says it."""
    if tag.name in _ENTRIES or len(tag.find_all("a")) < 2 or not _CRUMBS.fullmatch(_spoken(tag)):
        return False
    *between, _ = [s for s in tag.find_all(string=True) if s.find_parent("a") is None]
    page = [*tag.parents][-1]
    is_all = not _is_long(page) and _spoken(page) == _spoken(tag)
    return not is_all and not any(char.isalnum() for s in between for char in s)


def _is_row(tag: Tag) -> bool:
    if tag.find(["h1", "h2", "h3", "pre", "code"]):
        return False
    beside = " ".join(s for s in tag.find_all(string=True) if s.find_parent("a") is None)
    ways = [_is_way(_spoken(link)) for link in tag.find_all("a")]
    return any(ways) and (len(ways) > 1 or all(ways)) and not _WAY.sub("", beside)


def _is_way(text: str) -> bool:
    return any(map(str.isalnum, text)) and len(text) < 40 and not _WAY.sub("", text)


def _spoken(tag: Tag) -> str:
    """Its text, with the words of its pictures."""
    pictures = [str(picture.get("alt") or "") for picture in tag.find_all("img")]
    return " ".join(" ".join([tag.get_text(" "), *pictures]).split())


def _link_lists(soup: BeautifulSoup) -> Iterator[Tag]:
    """Contents and alphabetical indexes: lists and tables in which nearly all is a link inside."""
    for tag in soup.find_all(list(_LISTS)):
        if _is_index(tag) and not _is_announced(tag):
            yield tag


def _is_announced(tag: Tag) -> bool:
    """A sentence that ends in a colon makes a list of links a list of answers."""
    before = tag.find_previous_sibling() or (tag.parent.find_previous_sibling() if tag.parent else None)
    return before is not None and before.get_text().rstrip().endswith(":")


def _is_index(tag: Tag) -> bool:
    links = [a for a in tag.find_all("a", href=True) if not str(a["href"]).startswith(("http", "mailto:"))]
    if len(links) < (_LEAST_MENU if "menu" in classes(tag) else _LEAST_LINKS):
        return False
    size = sum(len("".join(link.get_text().split())) for link in links)
    return size >= _MOSTLY * len("".join(tag.get_text().split()))


def _last_line(soup: BeautifulSoup) -> Tag | None:
    """At the end of a page: when it was made, by what, and whose it is."""
    last = _last_block(soup.body) if soup.body else None
    text = " ".join(last.get_text(" ").split()) if last else ""
    return last if not text or (len(text) <= _LONGEST_LINE and _LAST_LINE.match(text)) else None


def _last_block(tag: Tag) -> Tag | None:
    """The innermost last element that is a block of its own; None where the page ends in bare text."""
    from bs4 import Tag as Element

    told = [child for child in tag.children if isinstance(child, Element) or str(child).strip()]
    last = told[-1] if told else None
    if not isinstance(last, Element) or last.name not in _LAST_BLOCKS:
        return None
    return _last_block(last) or last
