"""The blocks of a web page as Markdown, with the place of each of its anchors.

A definition list becomes a list whose items begin with their terms in bold, a paragraph of their own:
that is what makes an item a definition to the chunker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.loaders import formatted
from rag.loaders.decoding import normalise
from rag.loaders.inline import Run, as_markdown, fence_for, spaced
from rag.loaders.rows import is_header

if TYPE_CHECKING:
    from bs4 import Tag
    from bs4.element import PageElement


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = words("""
    address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption
    figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html li main menu nav ol p pre section summary
    table tbody td tfoot th thead tr ul
""")
_SILENT = words("script style noscript template svg title head input select button textarea")
_CODE = words("code tt kbd samp")
_STRONG = words("b strong")
_BOXES = words("""
    note tip warning caution important admonition danger hint attention error seealso admonitionblock
    remark info
""")
_NOTES = words("footnote footnotes citation")
_LABELS = words("admonition-title title")
_RAISED = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
# Around an anchor's name in a text that is still being made: these characters stand in no text.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_ANCHOR = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")

Anchors = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """`anchors`: the offset of the line at which each begins, and its name."""

    text: str
    anchors: Anchors = ()


def write(content: Tag) -> Written:
    text = normalise("\n\n".join(_Writer().blocks(content)).strip("\n"))
    pieces, anchors, size, end = [], [], 0, 0
    for mark in _ANCHOR.finditer(text):
        pieces.append(text[end : mark.start()])
        size += mark.start() - end
        end = mark.end()
        anchors.append((size, mark[1]))
    plain = "".join([*pieces, text[end:]])
    placed = [(plain.rfind("\n", 0, at) + 1, name) for at, name in anchors]
    return Written(plain, tuple(_first_of_each_place(placed)))


def _first_of_each_place(anchors: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    last = -1
    for at, name in anchors:
        if at != last:
            yield at, name
        last = at


def classes(tag: Tag) -> frozenset[str]:
    return frozenset(str(name).lower() for name in tag.get_attribute_list("class") if name)


class _Writer:
    def __init__(self) -> None:
        self._anchors: list[str] = []

    def blocks(self, tag: Tag) -> list[str]:
        """The tag's content: its blocks, and paragraphs of what stands between them."""
        from bs4 import Tag

        made: list[str] = []
        loose: list[Run] = []
        for child in tag.children:
            if isinstance(child, Tag) and child.name not in _SILENT and _is_block(child):
                made += self._paragraph(loose)
                loose = []
                made += self._block(child)
            else:
                loose += self._runs(child)
        return [*made, *self._paragraph(loose)]

    def _block(self, tag: Tag) -> list[str]:
        self._note(tag)
        name = tag.name
        if name[0] == "h" and name[1:].isdigit():
            return self._heading(tag)
        if name == "pre":
            return self._code(tag)
        if name in ("ul", "ol", "menu", "dir"):
            return self._list(tag)
        if name == "dl":
            return self._definitions(tag)
        if name == "table":
            return self._table(tag)
        if label := _label(tag):
            return self._box(tag, label)
        return self.blocks(tag)

    def _heading(self, tag: Tag) -> list[str]:
        runs = [Run(run.text, run.style) for run in self._inside(tag)]
        line = as_markdown(
            [Run(" ") if r.style == "break" else r for r in runs], "#" * int(tag.name[1]) + " "
        )
        return [self._taken() + line] if line else []

    def _paragraph(self, runs: Sequence[Run]) -> list[str]:
        text = as_markdown(runs)
        return [self._taken() + text] if text else []

    def _box(self, tag: Tag, label: Tag) -> list[str]:
        """A note or warning: its name in bold, not as a heading."""
        heading = self._paragraph([Run(label.get_text(), strong=True)])
        label.extract()
        return [*heading, *self.blocks(tag)]

    def _code(self, tag: Tag) -> list[str]:
        for picture in tag.find_all("img"):
            picture.replace_with(str(picture.get("alt") or ""))
        text = re.sub(r"[\u00a0\u202f]", " ", tag.get_text()).strip("\n").rstrip()
        if not text.strip():
            return []
        text = text.translate({ord(_OPEN): None, ord(_CLOSE): None, 0xAD: None})
        if formatted.is_page(text):
            return [self._taken() + formatted.as_markdown(text)]
        fence = fence_for(text)
        return [f"{self._taken()}{fence}\n{text}\n{fence}"]

    # --- lists --------------------------------------------------------------------------------

    def _list(self, tag: Tag) -> list[str]:
        from bs4 import Tag

        items: list[str] = []
        number = _number(tag.get("start"), 1)
        simple = True
        for child in tag.children:
            if not isinstance(child, Tag):
                items += self._paragraph(self._runs(child))
                continue
            if child.name in _SILENT:
                continue
            number = _number(child.get("value"), number)
            marker = f"{number}. " if tag.name == "ol" else "- "
            self._note(child)
            blocks = self.blocks(child) if child.name == "li" else self._block(child)
            if blocks:
                simple = simple and _is_simple(blocks)
                items.append(_item(marker, blocks))
                number += 1
        return ["\n".join(items) if simple else "\n\n".join(items)] if items else []

    def _definitions(self, tag: Tag) -> list[str]:
        from bs4 import Tag

        items: list[str] = []
        terms: list[str] = []
        body: list[str] = []
        made = _note_below if classes(tag) & _NOTES else _definition
        for part in _parts(tag):
            if not isinstance(part, Tag):
                body += self._paragraph(self._runs(part))
                continue
            if part.name == "dt" and body:
                items += made(terms, body)
                terms, body = [], []
            self._note(part)
            if part.name == "dt":
                terms += self._term(part)
            else:
                body += self.blocks(part)
        return ["\n\n".join([*items, *made(terms, body)])] if items or terms or body else []

    def _term(self, tag: Tag) -> list[str]:
        runs = [Run(run.text, run.style, strong=True) for run in self._inside(tag, blocks=True)]
        text = as_markdown([Run(" ", strong=True) if run.style == "break" else run for run in runs])
        return [self._taken() + text] if text else []

    # --- tables -------------------------------------------------------------------------------

    def _table(self, tag: Tag) -> list[str]:
        rows = [row for row in tag.find_all("tr") if row.find_parent("table") is tag]
        cells = [row.find_all(["td", "th"], recursive=False) for row in rows]
        caption = tag.find("caption", recursive=False)
        above = self.blocks(caption) if caption else []
        if _is_layout(tag, cells):
            return [*above, *(block for row in cells for cell in row for block in self._cell_blocks(cell))]
        lines = [[self._cell(cell) for cell in row] for row in cells]
        lines = [line for line in lines if any(line)]
        if not lines:
            return above
        head = lines.pop(0) if _has_header(cells, lines) else []
        width = max(map(len, [head, *lines]))
        written = [_row(head, width), "|" + " --- |" * width, *(_row(line, width) for line in lines)]
        return [*above, self._taken() + "\n".join(written)]

    def _cell_blocks(self, cell: Tag) -> list[str]:
        self._note(cell)
        return self.blocks(cell)

    def _cell(self, tag: Tag) -> str:
        self._note(tag)
        runs = [
            Run(" ", strong=run.strong) if run.style == "break" else run for run in self._inside(tag, True)
        ]
        if tag.name == "th":
            runs = [Run(run.text, run.style) for run in runs]
        return as_markdown(runs).replace("|", "\\|")

    # --- lines --------------------------------------------------------------------------------

    def _inside(self, tag: Tag, blocks: bool = False) -> list[Run]:
        """The runs of all that is in a tag; where it holds blocks, with a space between them."""
        found: list[Run] = []
        for child in tag.children:
            if blocks and getattr(child, "name", None) in _BLOCKS | {"br"}:
                found += [Run(" "), *self._runs(child), Run(" ")]
            else:
                found += self._runs(child)
        return found

    def _runs(self, node: object, strong: bool = False, code: bool = False, address: str = "") -> list[Run]:
        from bs4 import Tag
        from bs4.element import NavigableString, PreformattedString

        if isinstance(node, NavigableString):
            plain = not isinstance(node, PreformattedString)  # comments and their like
            return [Run(str(node), "code" if code else "text", strong, address)] if plain else []
        if not isinstance(node, Tag) or node.name in _SILENT:
            return []
        self._note(node)
        if node.name == "br":
            return [Run("\n", "break")]
        if node.name == "img":
            return [Run(str(node.get("alt") or ""), "text", strong, address)]
        if node.name in ("sup", "sub") and not code:
            return [Run(_shifted(node.name, node.get_text()), "text", strong, address)]
        strong = strong or node.name in _STRONG
        code = code or node.name in _CODE or node.name == "pre" or "literal" in classes(node)
        address = address or (_outside(node) if node.name == "a" else "")
        inside = [run for child in node.children for run in self._runs(child, strong, code, address)]
        return [Run(" "), *inside, Run(" ")] if node.name in _BLOCKS else inside

    # --- anchors ------------------------------------------------------------------------------

    def _note(self, tag: Tag) -> None:
        """The anchor goes with whatever comes next."""
        name = tag.get("id") or (tag.get("name") if tag.name == "a" else None)
        if isinstance(name, str) and name.strip() and _CLOSE not in name:
            self._anchors.append(name.strip())

    def _taken(self) -> str:
        taken = "".join(f"{_OPEN}{name}{_CLOSE}" for name in self._anchors)
        self._anchors.clear()
        return taken


def _is_block(tag: Tag) -> bool:
    """A link or span around blocks is one itself."""
    if tag.name in _BLOCKS or tag.name in _CODE:
        return tag.name in _BLOCKS
    return any(getattr(inside, "name", None) in _BLOCKS for inside in tag.descendants)


def _item(marker: str, blocks: Sequence[str]) -> str:
    text = blocks[0]
    for block in blocks[1:]:
        tight = re.match(r"(- |1\. )", _ANCHOR.sub("", block)) and "\n\n" not in block
        text += ("\n" if tight else "\n\n") + block
    return marker + re.sub(r"\n(?=[^\n])", "\n" + " " * len(marker), text)


def _is_simple(blocks: Sequence[str]) -> bool:
    return "\n\n" not in _item("- ", blocks) and "```" not in blocks[0]


def _parts(tag: Tag) -> Iterator[PageElement]:
    """Terms and definitions, be they in groups or not, and what strays between them."""
    from bs4 import Tag

    for child in tag.children:
        if isinstance(child, Tag) and child.name == "div" and child.find(["dt", "dd"], recursive=False):
            yield from _parts(child)
        elif not isinstance(child, Tag) or child.name not in _SILENT:
            yield child


def _definition(terms: Sequence[str], body: Sequence[str]) -> list[str]:
    blocks = ["\n".join(terms), *body] if terms else list(body)
    return [_item("- ", blocks)] if blocks else []


def _note_below(terms: Sequence[str], body: Sequence[str]) -> list[str]:
    """The number of a footnote is no term: it stands before the first words of the note."""
    number = " ".join(term.replace("**", "") for term in terms)
    blocks = [" ".join(filter(None, [number, *body[:1]])), *body[1:]]
    return [_item("- ", blocks)] if blocks[0] else []


def _label(tag: Tag) -> Tag | None:
    """The name of a note or warning box: its heading, if it is one."""
    from bs4 import Tag

    if not classes(tag) & _BOXES:
        return None
    if icon := tag.select_one("td.icon .title, td.icon"):
        return icon
    for child in tag.children:
        if isinstance(child, Tag):
            is_label = re.fullmatch("h[1-6]", child.name) or classes(child) & _LABELS
            return child if is_label else None
    return None


def _is_layout(table: Tag, rows: Sequence[Sequence[Tag]]) -> bool:
    """A table that only places things: of one column, or with blocks in it that no row can hold."""
    if table.get("role") == "presentation" or table.find("table") or max(map(len, rows), default=0) < 2:
        return True
    if table.find(re.compile("^h[1-6]$")):
        return True
    return any("\n" in code.get_text().strip("\n") for code in table.find_all("pre"))


def _has_header(cells: Sequence[Sequence[Tag]], lines: Sequence[Sequence[str]]) -> bool:
    """As the page says it is; where it does not, the first row is one if it reads like one."""
    first = next(row for row in cells if row)
    if any(cell.name == "th" for row in cells for cell in row):
        return first[0].find_parent("thead") is not None or all(cell.name == "th" for cell in first)
    return len(lines) > 1 and is_header(lines[0], lines[1])


def _row(cells: Sequence[str], width: int) -> str:
    return "|" + "".join(f" {cell} |" for cell in [*cells, *[""] * (width - len(cells))])


def _number(value: object, otherwise: int) -> int:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,8}", value) else otherwise


def _outside(tag: Tag) -> str:
    """An address means something outside the page only if it is whole."""
    address = str(tag.get("href") or "").strip()
    leads = address.startswith(("http:", "https:", "mailto:"))
    return address if leads and spaced(tag.get_text()).strip() not in ("", address) else ""


def _shifted(name: str, text: str) -> str:
    """2³² is no 232."""
    table = _RAISED if name == "sup" else _LOWERED
    inner = text.strip()
    return inner.translate(table) if inner and all(ord(c) in table for c in inner) else text
