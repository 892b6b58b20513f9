"""What a person sees of a text: blocks without the marks of Markdown, each character with its place.

Marks are what a Markdown parser says are marks, and nothing else: `shared_buffers` and `count(*)` stay as
they stand. Of a plain text nothing is ever left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from rag.types import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Kind = Literal["heading", "text", "item", "term", "head", "row", "code"]

_LINE_END = re.compile(r"\r\n?|\n")
_LINK_END = re.compile(r"\]\((?:[^()\\\n]|\\.|\([^()\n]*\))*\)|\]\[[^\]\n]*\]|\]")
_TAG = re.compile(
    r"<!--.*?-->|</?(?:a|abbr|b|blockquote|br|center|cite|code|dd|del|details|dfn|div|dl|dt|em|font|h[1-6]|hr|i|img"
    r"|ins|kbd|li|mark|ol|p|picture|pre|q|s|samp|small|source|span|strike|strong|sub|summary|sup|table|tbody|td"
    r"|tfoot|th|thead|tr|tt|u|ul|var|video)(?:\s[^>]*|/)?>",
    re.DOTALL | re.IGNORECASE,
)
# A line with `: …` under it is a term and its definition.
_DEFINES = re.compile(r"(?:^|\n):[ \t]+(?=\S)")
_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})(.*)$", re.MULTILINE)
_RULE = re.compile(r"[ \t]*\|?[ \t:-]*-[-| \t:]*\Z")
_ROW = re.compile(r"[ \t]*\|")

_ITEM = re.compile(r"([ \t]*)(?:[-*+•]|\.{1,3}|(\d{1,3})[.)])[ \t]+(?=\S)")
_TERM = re.compile(r"[ \t]*(\S.*?):{2,3}[ \t]*$")
# AsciiDoc: a term with its definition in its line; and what is said of a block, and shown by nobody.
_DEFINED = re.compile(r"[ \t]*\S[^\n]*?:{2,3}[ \t]+\S")
_OF_THE_BLOCK_BELOW = re.compile(r"\[\[[\w-]+\]\][ \t]*$|\[(?:verse|quote|source|options?|cols)\b.*\][ \t]*$")
_UNDERLINE = re.compile(r"([-=~^+])\1{2,}[ \t]*$")
_TITLE = re.compile(r"(?:={1,5}|#{1,6})[ \t]+\S")
# AsciiDoc joins the paragraphs of an item by a plus.
_BETWEEN = ("", "+")
_LISTING = re.compile(r"(?:-{4,}|\.{4,})[ \t]*$")


@dataclass(frozen=True, slots=True)
class Block:
    """`places`: for each character of `text` where it stands in the source. `level`: of a heading its rank,
    else how many lists it stands in. `number`: of an item in a numbered list."""

    kind: Kind
    text: str
    places: Sequence[int]
    level: int = 0
    number: str = ""

    def part(self, start: int, end: int) -> Block:
        return replace(self, text=self.text[start:end], places=self.places[start:end])


def visible(text: str, markup: Markup, lead: str = "") -> str:
    """A line for each block; code and paragraphs in the lines that they have."""
    return "\n".join(f"{block.number} {block.text}".lstrip() for block in blocks(text, markup, lead))


def blocks(text: str, markup: Markup, lead: str = "") -> list[Block]:
    """In order. `lead` stands further above, at places below zero; without it, what begins within a code
    block or a table, as a cut piece may, is read as what it is."""
    if markup != "markdown":
        found = _Plain(lead + text, markup == "asciidoc").blocks()
        return [_moved(block, len(lead)) for block in found]
    source, places = _without_indent(text)
    above = lead or _missing(source)
    return [
        replace(
            block,
            places=[at - len(above) if at < len(above) else places[at - len(above)] for at in block.places],
        )
        for block in _Markdown(above + source).blocks()
        if block.places
    ]


def _without_indent(text: str) -> tuple[str, Sequence[int]]:
    """What was cut out of a list is indented as a whole, which alone would make it code. With its places."""
    lines = text.splitlines(keepends=True)
    least = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    if not least:
        return text, range(len(text))
    kept, at = list[int](), 0
    for line in lines:
        kept += range(at + (least if line.strip() else 0), at + len(line))
        at += len(line)
    return "".join(text[place] for place in kept), kept


def _moved(block: Block, by: int) -> Block:
    return replace(block, places=[at - by for at in block.places])


def _missing(text: str) -> str:
    """What stood above a piece that was cut out of a code block or a table."""
    first = text.lstrip("\n").split("\n", 2)
    if _ROW.match(first[0]) and not (len(first) > 1 and _RULE.match(first[1]) and "-" in first[1]):
        cells = len(_split_row(first[0]))
        return "|" * (cells + 1) + "\n|" + "---|" * cells + "\n"
    fences = list(_FENCE.finditer(text))
    if len(fences) % 2 and not fences[0][1].strip() and not text[: fences[0].start()].rstrip().endswith(":"):
        above = text[: fences[0].start()].strip()
        if above and not above.endswith((".", "!", "?")):
            return "```\n"
    return ""


def _split_row(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark").enable("table")
    made.core.ruler.disable("text_join")  # it would make an entity and the text beside it one
    return made


class _Markdown:
    """Reads the parser's tokens in order, and finds in the source what each of them shows."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = [0, *(end.end() for end in _LINE_END.finditer(source)), len(source)]
        self._at = 0

    def blocks(self) -> Iterator[Block]:
        lists, heading = 0, 0
        number: str | None = None  # of the item whose first paragraph is next; empty for a bullet
        cells: list[Block] | None = None
        kind: Kind = "row"
        for token in _parser().parse(self._source):
            name = token.type
            if name in ("bullet_list_open", "ordered_list_open"):
                lists += 1
            elif name in ("bullet_list_close", "ordered_list_close"):
                lists -= 1
            elif name == "list_item_open":
                number = f"{token.info}{token.markup}" if token.info else ""
            elif name in ("heading_open", "heading_close"):
                heading = int(token.tag[1:]) if token.nesting > 0 else 0
            elif name in ("th_open", "td_open"):
                kind = "head" if name == "th_open" else "row"
            elif name == "tr_open":
                cells = []
            elif name == "tr_close":
                yield from _row(kind, cells or [], lists)
                cells = None
            elif name in ("fence", "code_block", "html_block"):
                number = None
                yield from self._raw(token, lists)
            elif name == "inline" and cells is not None:
                cells.append(self._inline(token))
            elif name == "inline" and heading:
                yield _as("heading", self._inline(token), heading)
            elif name == "inline":
                yield from _paragraph(self._inline(token), token, lists, number)
                number = None

    def _raw(self, token: Token, lists: int) -> Iterator[Block]:
        start, end = token.map or (0, 0)
        self._at = self._lines[start + (token.type == "fence")]
        if token.type != "html_block":
            code = token.content.rstrip("\n")
            yield Block("code", code, self._find_each(code), lists)
            return
        text, places = "", list[int]()
        raw = self._source[self._lines[start] : self._lines[end]]
        at = 0
        for tag in [*_TAG.finditer(raw), None]:
            until = tag.start() if tag else len(raw)
            text += raw[at:until]
            places += range(self._lines[start] + at, self._lines[start] + until)
            at = tag.end() if tag else until
        if text.strip():
            yield Block("text", text, places, lists)

    def _inline(self, token: Token) -> Block:
        if token.map is not None:
            self._at = max(self._at, self._lines[token.map[0]])
        first = token.content.split("\n", 1)[0]
        found = self._source.find(first, self._at)
        self._at = found if found >= 0 else self._at
        text, places = "", list[int]()
        for child in token.children or ():
            shown, where = self._child(child)
            text += shown
            places += where
        return Block("text", text, places)

    def _child(self, child: Token) -> tuple[str, list[int]]:
        if child.type in ("softbreak", "hardbreak"):
            return "\n", self._find_each("\n")
        if child.type == "link_close" and (end := _LINK_END.match(self._source, self._at)):
            self._at = end.end()
        elif child.type == "html_inline" and _TAG.fullmatch(child.content):
            self._find(child.content)
        elif child.type == "text_special":
            start = self._find(child.markup)
            return child.content, [start] * len(child.content)
        elif child.type == "image":
            self._at = self._source.find("[", self._at) + 1
            shown = child.content
            found = shown, self._find_each(shown)
            if end := _LINK_END.match(self._source, self._at):
                self._at = end.end()
            return found
        elif child.type == "code_inline":
            self._find(child.markup)
            return child.content, self._find_each(child.content)
        elif child.content:
            return child.content, self._find_each(child.content)
        return "", []

    def _find(self, words: str) -> int:
        found = self._source.find(words, self._at)
        if found >= 0:
            self._at = found + len(words)
        return max(found, 0) if found >= 0 else self._at

    def _find_each(self, shown: str) -> list[int]:
        """Where each character stands: side by side, or with marks and line starts between them."""
        start = self._source.find(shown, self._at)
        if start >= 0 and (start == self._at or "\n" not in self._source[self._at : start]):
            self._at = start + len(shown)
            return list(range(start, self._at))
        places = []
        for character in shown:
            at = self._at
            while at < len(self._source) and not _same(self._source[at], character):
                at += 1
            if at < len(self._source):
                self._at = at + 1
            places.append(min(at, len(self._source) - 1))
        return places


def _same(written: str, shown: str) -> bool:
    return written == shown or (written.isspace() and shown.isspace())


def _as(kind: Kind, found: Block, level: int, number: str = "") -> Block:
    return Block(kind, found.text, found.places, level, number)


def _row(kind: Kind, cells: Sequence[Block], level: int) -> Iterator[Block]:
    """The cells in one line, with bars between them."""
    if not any(cell.text.strip() for cell in cells):
        return
    text, places, last = "", list[int](), next(cell.places[0] for cell in cells if cell.places)
    for turn, cell in enumerate(cells):
        if turn:
            text += " | "
            places += [last] * 3
        text += cell.text
        places += cell.places
        last = places[-1] if places else last
    yield Block(kind, text, places, level)


def _paragraph(found: Block, token: Token, lists: int, number: str | None) -> Iterator[Block]:
    """One block; of a term with its definition under it, one each."""
    defines = list(_DEFINES.finditer(found.text))
    if not defines:
        kind: Kind = "term" if _all_bold(token.children or ()) else "text" if number is None else "item"
        yield _as(kind, found, lists, number or "")
        return
    starts = [0, *(match.end() for match in defines)]
    ends = [*(match.start() for match in defines), len(found.text)]
    for turn, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start < end:
            part = found.part(start, end)
            yield _as("text" if turn else "term", part, lists + bool(turn), "" if turn else number or "")


def _all_bold(children: Sequence[Token]) -> bool:
    """Nothing outside of a strong emphasis but white space: a label or a term."""
    depth, bold = 0, False
    for child in children:
        if child.type in ("strong_open", "strong_close"):
            depth += child.nesting
        elif child.content.strip():
            if not depth:
                return False
            bold = True
    return bold


class _Plain:
    """Blocks of a text without marks: by empty lines, bullets, and what AsciiDoc writes for terms, titles and
    listings. The marks are visible, too."""

    def __init__(self, source: str, asciidoc: bool = False) -> None:
        self._source = source
        self._asciidoc = asciidoc
        ends = [end.end() for end in _LINE_END.finditer(source)]
        self._starts = [0, *ends, len(source)] if not ends or ends[-1] < len(source) else [0, *ends]
        self._count = len(self._starts) - 1
        self._begin(0)

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < self._count:
            line = self._line(at)
            item = _ITEM.match(line)
            if _LISTING.match(line) and (close := self._closing(at)):
                yield from self._block(at)
                yield from self._cut("code", self._starts[at + 1], self._starts[close], self._level)
                at = close
                self._begin(self._starts[at + 1], self._level)
            elif item:
                yield from self._block(at)
                number = line[: item.end()].strip() if item[2] else ""
                level = 1 + len(item[1].expandtabs(4)) // 2
                self._begin(self._starts[at] + item.end(), level, "item", number)
            elif self._asciidoc and _DEFINED.match(line):
                yield from self._block(at)
                self._begin(self._starts[at], self._level or 1, "item")
            elif self._asciidoc and _OF_THE_BLOCK_BELOW.match(line):
                yield from self._block(at)
                self._begin(self._starts[at + 1], self._level)
            elif line.strip() in _BETWEEN:
                yield from self._block(at)
                self._begin(
                    self._starts[at + 1], self._level if line.strip() or self._indented(at + 1) else 0
                )
            elif kind := _alone(line):
                yield from self._block(at)
                yield from self._cut(kind, self._starts[at], self._starts[at + 1], 0)
                self._begin(self._starts[at + 1], 1 if kind == "term" else 0)
            elif self._underlines(at):
                yield from self._cut("heading", self._start, self._starts[at], 1)
                self._begin(self._starts[at + 1])
            at += 1
        yield from self._block(self._count)

    def _begin(self, start: int, level: int = 0, kind: Kind = "text", number: str = "") -> None:
        self._start, self._level, self._kind, self._number = start, level, kind, number

    def _line(self, at: int) -> str:
        return self._source[self._starts[at] : self._starts[at + 1]]

    def _indented(self, at: int) -> bool:
        return at < self._count and self._line(at)[:1].isspace()

    def _underlines(self, at: int) -> bool:
        """The line under a title that stands alone, about as long as it."""
        if not _UNDERLINE.match(self._line(at)) or not at or self._starts[at - 1] != self._start:
            return False
        return abs(len(self._line(at).rstrip()) - len(self._line(at - 1).rstrip())) <= 2

    def _closing(self, at: int) -> int | None:
        mark = self._line(at).rstrip()
        return next((i for i in range(at + 1, self._count) if self._line(i).rstrip() == mark), None)

    def _block(self, until: int) -> Iterator[Block]:
        """What has come together up to that line."""
        return self._cut(self._kind, self._start, self._starts[until], self._level, self._number)

    def _cut(self, kind: Kind, start: int, end: int, level: int, number: str = "") -> Iterator[Block]:
        text = self._source[start:end]
        start += len(text) - len(text.lstrip("\n" if kind == "code" else None))
        text = self._source[start:end].rstrip()
        if text:
            yield Block(kind, text, range(start, start + len(text)), level, number)


def _alone(line: str) -> Kind | None:
    """What a line is that is a block by itself."""
    if _ROW.match(line):
        return "row"
    if _TITLE.match(line):
        return "heading"
    return "term" if _TERM.match(line) else None
