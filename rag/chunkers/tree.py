"""A Markdown text as a tree of blocks: sections, and in them what belongs together.

The spans of a block's parts tile the block, so whatever is made of them loses nothing. An item whose
first paragraph is all bold is a definition, and so is a line with `: …` under it; a paragraph that ends
in a colon announces what follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from rag.markdown import block_parser, visible_inline

if TYPE_CHECKING:
    from markdown_it.token import Token

# Code that nothing but its indentation tells; a piece of it alone is read as code by a fence that leads it.
INDENTED = "indented"

Form = Literal["section", "heading", "text", "code", "table", "row", "list", "item", "definition", "term"]

_LINE_END = re.compile(r"\r\n?|\n")
_ITEM = re.compile(r"\A\s*(?:[-+*]|\d+[.)])\s+")
_ALL_BOLD = re.compile(r"(?:\s*\*\*(?:[^*\\`]|\\.|`++[^`]*+`++|\*(?!\*))+\*\*)+\s*")
_DEFINES = re.compile(r"[ ]{0,3}:[ \t]+\S")
_MORE_DEFINED = re.compile(r"[ ]{0,3}:[ \t]+\S|[ ]{4}|\t")
_LONGEST_ANNOUNCEMENT = 400


@dataclass(frozen=True, slots=True)
class Block:
    """`binds`: it says little without what comes after it. `lead`: how much of its own beginning each of its
    pieces needs (a table's header, a code block's fence). `name`: of a section its title, of a definition
    its terms."""

    form: Form
    start: int
    end: int
    parts: tuple[Block, ...] = ()
    binds: bool = False
    lead: str = ""
    name: str = ""
    level: int = 0


@dataclass(slots=True)
class _Node:
    token: Token
    children: list[_Node] = field(default_factory=list)


def blocks(text: str) -> tuple[Block, ...]:
    """The whole text: what stands before the first heading, and sections that hold those below them."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        ends = [end.end() for end in _LINE_END.finditer(text)]
        self._lines = [0, *ends, len(text)] if not ends or ends[-1] < len(text) else [0, *ends]

    def document(self) -> tuple[Block, ...]:
        flat = self._parts(_nested(block_parser().parse(self._text)), 0, len(self._text))
        return sections(_definitions(flat, self._text))

    def _parts(self, nodes: Sequence[_Node], start: int, end: int) -> tuple[Block, ...]:
        """Blocks that tile the span: each reaches to where the next one starts."""
        if not nodes:  # definitions of links, say
            start, end = self._trim(start, end)
            return (Block("text", start, end),) if start < end else ()
        starts = [start, *(self._at(node) for node in nodes[1:]), end]
        spans = (self._trim(*span) for span in pairwise(starts))
        found = (self._block(node, *span) for node, span in zip(nodes, spans, strict=True))
        return tuple(block for block in found if block.start < block.end)

    def _block(self, node: _Node, start: int, end: int) -> Block:
        form = node.token.type
        if form == "heading_open":
            return Block(
                "heading", start, end, (), True, "", self._title(node), int(node.token.tag.removeprefix("h"))
            )
        if form in ("bullet_list_open", "ordered_list_open"):
            return Block("list", start, end, self._parts(node.children, start, end))
        if form == "list_item_open":
            return self._item(node, start, end)
        if form == "table_open":
            return self._table(node, start, end)
        if form in ("fence", "code_block"):
            return self._code(node.token, start, end)
        if form == "blockquote_open":
            return Block("list", start, end, self._parts(node.children, start, end))
        return Block("text", start, end, (), self._announces(start, end))

    def _item(self, node: _Node, start: int, end: int) -> Block:
        parts = self._parts(node.children, start, end) if node.children else ()
        if len(parts) > 1 and node.children[0].token.type == "paragraph_open":
            first = parts[0]
            inner = _ITEM.sub("", self._text[first.start : first.end])
            if _ALL_BOLD.fullmatch(inner):
                term = Block("term", first.start, first.end, (), True)
                return Block("definition", start, end, (term, *parts[1:]), name=_name(inner))
        return Block("item", start, end, parts if len(parts) > 1 else ())

    def _table(self, node: _Node, start: int, end: int) -> Block:
        rows = [row for part in node.children for row in part.children]
        parts = self._parts(rows, start, end)
        if len(parts) < 2:
            return Block("text", start, end)
        # The line of dashes under the header belongs to it: the header's span reaches to the next row.
        header = Block("row", parts[0].start, parts[0].end, (), True)
        rest = tuple(Block("row", part.start, part.end) for part in parts[1:])
        lead = _ITEM.sub("", self._text[start : parts[1].start])
        return Block(
            "table",
            start,
            end,
            (header, *rest),
            lead=re.sub(r"^[ \t]+", "", lead, flags=re.M).rstrip() + "\n",
        )

    def _code(self, token: Token, start: int, end: int) -> Block:
        """Lines, of which the first goes with the fence above it and the last with the one below."""
        lines = [(a, b) for a, b in self._between(start, end) if self._text[a:b].strip()]
        if token.type == "code_block":
            parts = tuple(Block("text", *self._trim(a, b)) for a, b in lines)
            return Block("code", start, end, parts, lead="```\n", name=INDENTED)
        fence = f"{token.markup}{token.info}\n"
        inner = lines[1:-1] if token.map and len(lines) > 2 else []
        if len(inner) < 2:
            return Block("code", start, end)
        edges = [start, *(a for a, _ in inner[1:]), end]
        spans = (self._trim(a, b) for a, b in pairwise(edges))
        return Block("code", start, end, tuple(Block("text", a, b) for a, b in spans), lead=fence)

    def _announces(self, start: int, end: int) -> bool:
        """A sentence that ends in a colon, or a line all in bold: the label of what follows."""
        told = self._text[start:end].rstrip()
        if len(told) > _LONGEST_ANNOUNCEMENT:
            return False
        return told.endswith((":", ":**", "::")) or _ALL_BOLD.fullmatch(told) is not None

    def _title(self, node: _Node) -> str:
        return " ".join(visible_inline(node.children[0].token.content).split()) if node.children else ""

    def _at(self, node: _Node) -> int:
        return self._lines[node.token.map[0]] if node.token.map else 0

    def _between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        last = start
        for found in _LINE_END.finditer(self._text, start, end):
            yield last, found.end()
            last = found.end()
        if last < end:
            yield last, end

    def _trim(self, start: int, end: int) -> tuple[int, int]:
        """Without blank lines around; the indentation of the first line stays, for what it means."""
        piece = self._text[start:end]
        blank = len(piece) - len(piece.lstrip())
        line = max(piece.rfind("\n", 0, blank), piece.rfind("\r", 0, blank)) + 1
        return start + line, start + len(piece.rstrip())


def _nested(tokens: Sequence[Token]) -> list[_Node]:
    top: list[_Node] = []
    open_: list[list[_Node]] = [top]
    for token in tokens:
        if token.nesting < 0:
            open_.pop()
            continue
        node = _Node(token)
        if token.map is not None:
            open_[-1].append(node)
        if token.nesting > 0:
            open_.append(node.children)
    return top


def _name(terms: str) -> str:
    return ", ".join(" ".join(visible_inline(line).split()) for line in terms.splitlines() if line.strip())


def _definitions(parts: Sequence[Block], text: str) -> list[Block]:
    """`Term` and `: definition` under it, as Markdown Extra writes it, with its indented paragraphs."""
    made: list[Block] = []
    for part in parts:
        told = text[part.start : part.end]
        above = made[-1] if made else None
        if part.form == "text" and _is_definition(told):
            made.append(_defined(part, text))
        elif above and above.form == "text" and _is_line(above, text) and _DEFINES.match(told):
            term = Block("term", above.start, above.end, (), True)
            made[-1] = Block("definition", above.start, part.end, (term, part), name=_term(above, text))
        elif above and above.form == "definition" and _MORE_DEFINED.match(told):
            made[-1] = Block("definition", above.start, part.end, (*above.parts, part), name=above.name)
        else:
            made.append(part)
    return made


def _is_definition(told: str) -> bool:
    """Lines of terms, perhaps an empty one, then a line that begins with a colon."""
    lines = told.splitlines()
    for at, line in enumerate(lines[1:], start=1):
        if _DEFINES.match(line):
            return True
        if not line.strip():
            return at + 1 < len(lines) and bool(_DEFINES.match(lines[at + 1]))
    return False


def _defined(part: Block, text: str) -> Block:
    told = text[part.start : part.end]
    colon = re.search(r"^ {0,3}:[ \t]+\S", told, re.MULTILINE)
    at = part.start + (colon.start() if colon else 0)
    term = Block("term", part.start, part.start + len(text[part.start : at].rstrip()), (), True)
    return Block(
        "definition", part.start, part.end, (term, Block("text", at, part.end)), name=_term(term, text)
    )


def _term(block: Block, text: str) -> str:
    return _name(text[block.start : block.end])


def _is_line(block: Block, text: str) -> bool:
    return not _LINE_END.search(text[block.start : block.end])


def sections(flat: Sequence[Block]) -> tuple[Block, ...]:
    """A heading and all up to the next one of its level or above."""
    made: list[Block] = []
    at = 0
    while at < len(flat):
        if flat[at].form != "heading":
            made.append(flat[at])
            at += 1
            continue
        level = flat[at].level
        until = at + 1
        while until < len(flat) and not (flat[until].form == "heading" and flat[until].level <= level):
            until += 1
        parts = (flat[at], *sections(flat[at + 1 : until]))
        made.append(Block("section", flat[at].start, parts[-1].end, parts, name=flat[at].name, level=level))
        at = until
    return tuple(made)
