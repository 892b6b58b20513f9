"""The lines of a PDF as Markdown, by where they stand: paragraphs, lists, definitions beside or under their
terms, code. A PDF says nothing of these; it only shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.loaders.inline import Run, as_markdown, fence_for
from rag.loaders.pdf_geometry import ALIGNED, Placed, Usual, is_bullet, is_label, split_at
from rag.loaders.pdf_lines import Line, Word
from rag.loaders.pdf_tables import Table, table_at

_ENDS = re.compile(r"[.!?:][\"'”’)\]]*\Z")
_CORE = re.compile(r"([‘’“”]*)(.+?)([‘’“”]*[,.;:]?)\Z", re.DOTALL)
_NUMBER = re.compile(r"\(?(\d{1,3}[.)])\Z")
# Around the number of a page in a text that is still being made: these characters stand in no text.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_PAGE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
# In sizes of the usual letter: how far a line may begin from the others of its paragraph, the indent of a
# first line, and the white at the end of a last one.
_SAME = 0.8
_FIRST_LINE = 3.5
_SHORT = 4.0
_MOST_TERMS = 8
# In distances of the usual lines, between two of code: the most, and from where on one is empty.
_CODE_GAP = 3.0
_EMPTY_LINE = 1.4


@dataclass(frozen=True, slots=True)
class Heading:
    """`lines`: so many are its text; none where only the outline has it."""

    level: int
    title: str
    lines: int


def write(
    lines: Sequence[Placed], headings: Mapping[int, Heading], usual: Usual, pages: int
) -> tuple[str, tuple[int, ...]]:
    """The text, and the offset at which each page begins."""
    marked = "\n\n".join(_Writer(lines, headings, usual).blocks())
    pieces, starts, size, end = [], dict[int, int](), 0, 0
    for mark in _PAGE.finditer(marked):
        pieces.append(marked[end : mark.start()])
        size += mark.start() - end
        end = mark.end()
        starts[int(mark[1])] = size
    text = "".join([*pieces, marked[end:]])
    return text, _of_each(starts, pages, len(text))


def _of_each(starts: Mapping[int, int], pages: int, size: int) -> tuple[int, ...]:
    """A page without text begins where the next one does."""
    found: list[int] = []
    for page in reversed(range(pages)):
        found.append(starts.get(page, found[-1] if found else size))
    return tuple(reversed(found))


@dataclass(frozen=True, slots=True)
class _Container:
    """A list item or a definition: lines at `body`, or right of it, belong to it."""

    body: float
    indent: str


@dataclass(slots=True)
class _Writer:
    lines: Sequence[Placed]
    headings: Mapping[int, Heading]
    usual: Usual
    made: list[str] = field(default_factory=list)
    containers: list[_Container] = field(default_factory=list)
    paragraph: list[Placed] = field(default_factory=list)
    marker: str = ""
    page: int = -1
    bullets: float | None = None  # the indent of the item in hand

    def blocks(self) -> list[str]:
        at = 0
        while at < len(self.lines):
            heading = self.headings.get(at)
            if heading:
                self._head(heading, at)
            at = at + heading.lines if heading and heading.lines else self._take(at)
        self._flush()
        return self.made

    def _head(self, heading: Heading, at: int) -> None:
        self._flush()
        self.containers.clear()
        self.bullets = None
        line = as_markdown([Run(heading.title)], "#" * min(heading.level, 6) + " ")
        self._add([self._turned(self.lines[at]) + line])

    def _take(self, at: int) -> int:
        placed = self.lines[at]
        if (table := table_at(self.lines, at, self.usual)) is not None and at not in self.headings:
            self._flush()
            self._leave(placed)
            self._add(self._tabled(table))
            return at + table.lines
        if self.paragraph and not self._is_new(at) and self._goes_on(self.paragraph[-1], placed):
            self.paragraph.append(placed)
            return at + 1
        self._flush()
        self._leave(placed)
        if self._is_item(at):
            self.paragraph = [self._item(placed)]
            return at + 1
        if (after := self._definition(at)) > at:
            return after
        self.paragraph = [placed]
        return at + 1

    def _leave(self, placed: Placed) -> None:
        """The lists and definitions that the line stands left of."""
        while self.containers and placed.x < self.containers[-1].body - 2 * ALIGNED:
            self.containers.pop()

    def _tabled(self, table: Table) -> list[str]:
        written = (f"| {' | '.join(map(_cell, row))} |" for row in table.rows)
        head, *rest = [self._turned(line) + row for line, row in zip(table.begins, written, strict=True)]
        return [head, "|" + " --- |" * len(table.rows[0]), *rest]

    def _is_new(self, at: int) -> bool:
        """A heading, or the next item of the list in hand."""
        placed = self.lines[at]
        next_item = self.bullets is not None and abs(placed.x - self.bullets) <= ALIGNED
        return at in self.headings or (next_item and self._is_item(at))

    # --- list items and definitions ---------------------------------------------------------

    def _is_item(self, at: int) -> bool:
        below = self.lines[at + 1] if at + 1 < len(self.lines) else None
        return is_bullet(self.lines[at], below, self.bullets)

    def _item(self, placed: Placed) -> Placed:
        """The line without its bullet."""
        first, second, *_ = placed.line.words
        body = second.x - first.x + placed.x
        number = _NUMBER.match(first.text)
        self._open(f"{number[1]} " if number else "- ", body)
        self.bullets = placed.x
        return replace(placed, line=placed.line.from_word(1), x=body)

    def _open(self, marker: str, body: float) -> None:
        above = self.containers[-1].indent if self.containers else ""
        self.marker = above + marker
        self.containers.append(_Container(body, above + " " * len(marker)))

    def _definition(self, at: int) -> int:
        """The place after the terms and what stands beside them; the same place where there are none."""
        for term, body in self.usual.columns:
            if abs(self.lines[at].x - term) <= ALIGNED and (names := self._names(at, term, body)):
                self._open("- ", body)
                after = at + len(names)
                last = names[-1]
                split = split_at(last, body, self.usual)
                if split is not None:
                    names[-1] = replace(last, line=last.line.to_word(split))
                self._add([line for name in names for line in self._written([name], strong=True)])
                if split is not None:
                    self.paragraph = [replace(last, line=last.line.from_word(split), x=body)]
                return after
        return at

    def _names(self, at: int, term: float, body: float) -> list[Placed]:
        """The lines of terms: up to one that has its definition beside it, or below."""
        names: list[Placed] = []
        for number in range(at, min(at + _MOST_TERMS, len(self.lines))):
            placed = self.lines[number]
            if number in self.headings or abs(placed.x - term) > ALIGNED:
                return []
            names.append(placed)
            if split_at(placed, body, self.usual) is not None:
                return names
            if not is_label(placed.line) or number + 1 == len(self.lines) or number + 1 in self.headings:
                return []
            below = self.lines[number + 1]
            if self.usual.is_apart(placed, below):
                return []
            if below.x >= body - ALIGNED:
                return names
        return []

    # --- paragraphs and code ----------------------------------------------------------------

    def _goes_on(self, last: Placed, placed: Placed) -> bool:
        """Whether the line belongs to the paragraph, or the code, in hand."""
        if all(line.line.mono for line in self.paragraph) and placed.line.mono:
            deep = not self.containers or placed.x >= self.containers[-1].body - ALIGNED
            near = last.gap(placed) <= _CODE_GAP * self.usual.leading
            return deep and (near or placed.opens) and not self._is_term(placed)
        if placed.opens:
            same = abs(placed.x - self._edge()) <= _SAME * self.usual.size
            return same and not _ENDS.search(last.line.text) and last.line.size == placed.line.size
        if last.gap(placed) > self._leading(placed):
            return False
        return self._is_aligned(last, placed)

    def _is_term(self, placed: Placed) -> bool:
        return any(abs(placed.x - term) <= ALIGNED for term, _ in self.usual.columns)

    def _leading(self, placed: Placed) -> float:
        """The most that two lines of a paragraph of these letters are apart."""
        scale = placed.line.size / self.usual.size if self.usual.size else 1.0
        return 1.14 * self.usual.leading * max(scale, 1.0)

    def _edge(self) -> float:
        return self.paragraph[-1].x if len(self.paragraph) > 1 else self.paragraph[0].x

    def _is_aligned(self, last: Placed, placed: Placed) -> bool:
        shift = placed.x - self._edge()
        if abs(shift) <= _SAME * self.usual.size:
            return True
        if len(self.paragraph) > 1:
            return False
        if shift < 0:  # its first line was indented
            return -shift <= _FIRST_LINE * self.usual.size
        full = last.line.words[-1].right >= self.usual.right - _SHORT * self.usual.size
        return shift <= _FIRST_LINE * self.usual.size and full and not _ENDS.search(last.line.text)

    def _flush(self) -> None:
        taken, self.paragraph = self.paragraph, []
        is_item = self.marker and len(taken) == 1
        if taken and not is_item and all(placed.line.mono for placed in taken):
            self._add(self._code(taken))
        elif taken:
            self._add(self._written(taken))

    def _code(self, taken: Sequence[Placed]) -> list[str]:
        left = min(placed.x for placed in taken)
        wide = max((_width(placed.line) for placed in taken), default=0.0)
        fence = fence_for("\n".join(placed.line.text for placed in taken))
        lines: list[str] = []
        for at, placed in enumerate(taken):
            if at and not placed.opens and taken[at - 1].gap(placed) > _EMPTY_LINE * self.usual.leading:
                lines.append("")
            spaces = " " * (round((placed.x - left) / wide) if wide else 0)
            lines.append(self._turned(placed) + spaces + placed.line.text)
        return [fence, *lines, fence]

    def _written(self, taken: Sequence[Placed], strong: bool = False) -> list[str]:
        """A line of Markdown for each that has words."""
        runs = [run for placed in taken for run in (Run("\n", "break"), *_runs(placed.line, strong))]
        text = as_markdown(runs[1:])
        lines = text.split("\n")
        turned = [self._turned(placed) for placed in taken]
        if len(lines) != len(taken):
            return ["".join(turned) + text] if text else []
        return [turn + line for turn, line in zip(turned, lines, strict=True)]

    def _turned(self, placed: Placed) -> str:
        """A mark where a new page begins."""
        if placed.page <= self.page:
            return ""
        self.page = placed.page
        return f"{_OPEN}{placed.page}{_CLOSE}"

    def _add(self, lines: Sequence[str]) -> None:
        """Under the list item or definition that is open; its first block has the bullet."""
        indent = self.containers[-1].indent if self.containers else ""
        block = [indent + line if line else "" for line in lines]
        if block and self.marker:
            block[0] = self.marker + lines[0]
            self.marker = ""
        if block:
            self.made.append("\n".join(block))


def _cell(words: Sequence[Word]) -> str:
    return as_markdown(list(_runs(Line("", tuple(words))))).replace("|", "\\|")


def _runs(line: Line, strong: bool = False) -> Iterator[Run]:
    for at, word in enumerate(line.words):
        if at:
            code = word.mono and line.words[at - 1].mono
            yield Run(" ", "code" if code else "text", strong)
        yield from _word_runs(word, strong)


def _word_runs(word: Word, strong: bool) -> Iterator[Run]:
    core = _CORE.match(word.text) if word.mono else None
    if core is None:
        yield Run(word.text, strong=strong)
        return
    for text, is_code in ((core[1], False), (core[2], True), (core[3], False)):
        if text:
            yield Run(text, "code" if is_code else "text", strong)


def _width(line: Line) -> float:
    """Of one letter."""
    word = max(line.words, key=lambda word: len(word.text))
    return (word.right - word.x) / len(word.text)
