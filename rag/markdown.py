"""Markdown as this project reads it: CommonMark and tables. What of it is text, and what is a mark.

Documents whose markup is "markdown" are in this language, whatever format they came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LINE_END = re.compile(r"\r\n?|\n")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^>]*>")


@cache
def parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


@cache
def block_parser() -> MarkdownIt:
    """Tells where blocks are and leaves their text alone, which takes a fraction of the time."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark").enable("table")
    made.core.ruler.disable(["inline", "text_join"])
    return made


def visible(text: str) -> str:
    """What a reader sees of a Markdown text, a line for each block; code as it stands."""
    return "\n".join(filter(None, _lines(parser().parse(text))))


def visible_inline(text: str) -> str:
    """What a reader sees of a text that is known to be no more than a line."""
    return "".join(_words(parser().parseInline(text)[0].children or ()))


def titles(text: str) -> list[tuple[int, int, str]]:
    """Offset, level and words of each heading that stands in no list or quotation."""
    tokens = block_parser().parse(text)
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    return [
        (starts[heading.map[0]], int(heading.tag[1]), " ".join(visible_inline(inside.content).split()))
        for heading, inside in pairwise(tokens)
        if heading.type == "heading_open" and heading.level == 0 and heading.map
    ]


def _lines(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_words(token.children or ()))
        elif token.type in ("fence", "code_block"):
            yield token.content.rstrip("\n")
        elif token.type == "html_block":
            yield _without_tags(token.content).strip()


def _without_tags(html: str) -> str:
    """Looked for only up to the last end of one: each beginning has an end then, and is looked at once."""
    comments = html.rfind("-->") + len("-->") if "-->" in html else 0
    html = _COMMENT.sub("", html[:comments]) + html[comments:]
    tags = html.rfind(">") + 1
    return _TAG.sub("", html[:tags]) + html[tags:]


def _words(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "image":
            yield "".join(_words(token.children or ()))
        elif token.type != "html_inline":
            yield token.content
