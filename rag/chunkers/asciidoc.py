"""An AsciiDoc text as a tree of blocks, in its own words: of the source a reader sees the marks too.

A list's marker says how deep an item stands: one that is open already ends what was opened since, another one
opens a list within. What follows an item belongs to it after a `+`, or where it has said nothing yet.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from rag.chunkers.tree import Block, sections

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_TITLE = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"([-=~^+])\1{2,}[ \t]*\Z")
_UNDERLINES = "=-~^+"
_TERM = re.compile(r"[ \t]*(\S.*?)(:{2,4}|;;)(?:[ \t]+(\S.*))?\Z")
_ITEM = re.compile(r"[ \t]*([*-]{1,5}|\.{1,5}|\d{1,3}[.)])[ \t]+\S")
_DELIMITER = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|\|={3,}|--)[ \t]*\Z")
# What says something of the block below it, and is no text of its own.
_ATTRIBUTES = re.compile(r"\[.*\][ \t]*\Z|:[\w-]+:(?:[ \t].*)?\Z|\.[A-Z]\S*.*\Z")
_MACRO = re.compile(r"(?:ifdef|ifndef|endif|include|image|ifeval)::")
_LONGEST_NAME = 120
_LONGEST_ANNOUNCEMENT = 400

Kind = Literal["heading", "term", "item", "text", "code", "above"]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """`whole`: of a term, that its definition stands in its line; of a text, that it joins what is open."""

    kind: Kind
    start: int
    end: int
    name: str = ""
    marker: str = ""
    level: int = 0
    whole: bool = False


@dataclass(slots=True)
class _Node:
    marker: str
    terms: list[_Leaf] = field(default_factory=list)
    parts: list[Block | _Node] = field(default_factory=list)
    start: int = 0


def blocks(text: str) -> tuple[Block, ...]:
    return sections(list(_lists([_made(part) for part in _nested(list(_leaves(text)), text)])))


def _leaves(text: str) -> Iterator[_Leaf]:
    """In order, each reaching to where the next one starts; a line above a block begins it."""
    found = list(_Reader(text).leaves())
    above: int | None = None
    ends = [*(leaf.start for leaf in found), len(text)][1:]
    for leaf, after in zip(found, ends, strict=bool(found)):
        start = leaf.start if above is None else above
        above = start if leaf.kind == "above" and after < len(text) else None
        if above is None:
            kind: Kind = "text" if leaf.kind == "above" else leaf.kind
            end = start + len(text[start:after].rstrip())
            yield _Leaf(kind, start, end, leaf.name, leaf.marker, leaf.level, leaf.whole)


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines = [(found.start(), found[0].rstrip()) for found in _LINE.finditer(text)]
        self._delimiters: dict[str, list[int]] = {}
        for at, (_, line) in enumerate(self._lines):
            if _DELIMITER.match(line):
                self._delimiters.setdefault(line, []).append(at)

    def leaves(self) -> Iterator[_Leaf]:
        """`last`: what the line before belongs to, if the next may go on with it."""
        at, last, joined = 0, "", False
        ends_text = False  # an entry of a list ends the text of the one above it, not that of a paragraph
        while at < len(self._lines):
            start, line = self._lines[at]
            leaf = self._alone(at) if last != "text" or ends_text else None
            if leaf is not None and last == "text" and leaf.kind not in ("term", "item"):
                leaf = None
            if not line:
                last, ends_text = "", False
            elif line == "+":
                yield _Leaf("above", start, start)
                last, joined = "", True
            elif leaf is not None:
                yield leaf
                last = leaf.kind if leaf.kind == "item" or leaf.whole else ""
                ends_text = leaf.kind in ("term", "item")
                joined = joined and leaf.kind == "above"
                at += leaf.kind == "heading" and not _TITLE.match(line)
            elif close := self._closing(at):
                yield _Leaf("code", start, start, whole=joined)
                at, last, joined = close, "", False
            elif not last:
                set_in = line[0].isspace() and at > 0 and not self._lines[at - 1][1]
                yield _Leaf("text", start, start, whole=joined or set_in)
                last, joined, ends_text = "text", False, ends_text and not joined
            at += 1

    def _alone(self, at: int) -> _Leaf | None:
        """What a line is that begins a block, whatever stands above it."""
        start, line = self._lines[at]
        if title := _TITLE.match(line):
            return _Leaf("heading", start, start, title[2], level=len(title[1]))
        if level := self._underlined(at):
            return _Leaf("heading", start, start, line.strip(), level=level)
        if _MACRO.match(line) or _ATTRIBUTES.match(line):
            return _Leaf("above", start, start)
        if (item := _ITEM.match(line)) is not None:
            marker = "1." if item[1][0].isdigit() else item[1]
            return _Leaf("item", start, start, marker=marker)
        if (term := _TERM.match(line)) is not None:
            return _Leaf("term", start, start, term[1].strip()[:_LONGEST_NAME], term[2], whole=bool(term[3]))
        return None

    def _underlined(self, at: int) -> int:
        """The level of a title with a line of its own length under it."""
        if at + 1 == len(self._lines) or (at and self._lines[at - 1][1]):
            return 0
        line, below = self._lines[at][1], self._lines[at + 1][1]
        if not _UNDERLINE.match(below) or abs(len(line) - len(below)) > 2 or not any(map(str.isalnum, line)):
            return 0
        return _UNDERLINES.index(below[0]) + 1

    def _closing(self, at: int) -> int:
        """The line that ends a delimited block; 0 where there is none."""
        places = self._delimiters.get(self._lines[at][1], [])
        after = bisect_right(places, at)
        return places[after] if 0 < after < len(places) else 0


def _nested(leaves: Sequence[_Leaf], text: str) -> list[Block | _Node]:
    top: list[Block | _Node] = []
    open_: list[_Node] = []
    for leaf in leaves:
        if leaf.kind == "heading":
            open_.clear()
            top.append(Block("heading", leaf.start, leaf.end, (), True, "", leaf.name, leaf.level))
        elif leaf.kind in ("term", "item"):
            if leaf.kind == "term" and open_ and _is_further_term(open_[-1], leaf):
                open_[-1].terms.append(leaf)
                continue
            while any(node.marker == leaf.marker for node in open_):
                open_.pop()
            node = _Node(leaf.marker, start=leaf.start)
            (open_[-1].parts if open_ else top).append(node)
            open_.append(node)
            if leaf.kind == "term":
                node.terms.append(leaf)
            else:
                node.parts.append(_text(leaf, text))
        else:
            if open_ and not leaf.whole and _has_said_something(open_[-1]):
                open_.clear()
            (open_[-1].parts if open_ else top).append(_text(leaf, text))
    return top


def _has_said_something(node: _Node) -> bool:
    return bool(node.parts) or node.terms[-1].whole


def _is_further_term(node: _Node, leaf: _Leaf) -> bool:
    return bool(node.terms) and not node.parts and node.marker == leaf.marker and not node.terms[-1].whole


def _text(leaf: _Leaf, text: str) -> Block:
    told = text[leaf.start : leaf.end]
    if leaf.kind == "code":
        return Block("code", leaf.start, leaf.end, _lines(leaf, text))
    announces = told.endswith(":") and len(told) <= _LONGEST_ANNOUNCEMENT
    return Block("text", leaf.start, leaf.end, (), announces)


def _lines(leaf: _Leaf, text: str) -> tuple[Block, ...]:
    spans = [(found.start(), found.end()) for found in _LINE.finditer(text, leaf.start, leaf.end)]
    inner = [span for span in spans[1:-1] if text[span[0] : span[1]].strip()]
    if len(inner) < 2:
        return ()
    starts = [leaf.start, *(start for start, _ in inner[1:])]
    ends = [*(start for start, _ in inner[1:]), leaf.end]
    return tuple(
        Block("text", start, start + len(text[start:end].rstrip()))
        for start, end in zip(starts, ends, strict=True)
    )


def _made(part: Block | _Node) -> Block:
    if isinstance(part, Block):
        return part
    inner = tuple(_lists([_made(one) for one in part.parts]))
    if not part.terms:
        end = inner[-1].end
        return Block("item", part.start, end, inner if len(inner) > 1 else ())
    name = ", ".join(leaf.name for leaf in part.terms)
    last = part.terms[-1]
    if not inner:
        return Block("text", part.start, last.end, (), not last.whole)
    term = Block("term", part.start, last.end, (), True)
    return Block("definition", part.start, inner[-1].end, (term, *inner), name=name)


def _lists(parts: Sequence[Block]) -> Iterator[Block]:
    """Neighbouring items are one list."""
    for is_item, some in groupby(parts, key=lambda part: part.form == "item"):
        members = tuple(some)
        if is_item and len(members) > 1:
            yield Block("list", members[0].start, members[-1].end, members)
        else:
            yield from members
