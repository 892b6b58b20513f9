"""What can be quoted: of a passage the pieces that a reader understands by themselves.

A sentence, with the one before it where it begins with a pronoun; one that ends in a colon, with the list or
the code that it announces; a definition with its term; a row with its table's header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from rag.answers.sentences import Span, sentences
from rag.answers.visible import Block, blocks, visible
from rag.types import Passage

CODE = "    "
"""What a line of code begins with where it is shown."""

_POINTS_BACK = re.compile(
    r"(?:it|its|this|that|these|those|they|their|them|he|his|she|her|such|both|the (?:former|latter|same)"
    r"|here|otherwise|however|but|instead|in (?:this|that|these|such) (?:cases?|mode|way)|then|also|if so)\b",
    re.IGNORECASE,
)
# A line of code that its page does not call code.
_READS_AS_CODE = re.compile(r"[^.!?]*[\w)}'\"];\s*\Z|\$ \S|\w+\([^.!?]*\)\s*\Z")
_TORN_OFF = re.compile(r"[a-z.,;:)}\]’”%]")
_SECTION = re.compile(r"\d+(?:\.\d+)+\.?")
_LONGEST_BEFORE = 260
_LONGEST_LEAD = 200
# Of a list or a code block that is announced.
_LONGEST_LIST = 600
_MOST_LINES = 14
_LEAST_STEPS = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """`lines` is what is shown, in the document's own words. `core`: the part that may answer, which stands
    at `start` to `end` of the document; `context`: what is known of it besides, from headings and from what
    stands at the spans `around`."""

    passage: int
    lines: tuple[str, ...]
    core: str
    context: str
    start: int
    end: int
    answers: bool = True
    steps: bool = False
    around: tuple[Span, ...] = ()

    @property
    def words(self) -> int:
        return sum(len(line.split()) for line in self.lines)


def units(passages: Sequence[Passage]) -> list[Unit]:
    """Of all passages, best first; what stands in two of them is taken from the better one."""
    seen: set[str] = set()
    found = []
    for number, passage in enumerate(passages, start=1):
        for unit in _Reader(passage, number).units():
            said = "\n".join(unit.lines)
            if unit.start >= passage.chunk.start and said not in seen:  # else it stands further above
                seen.add(said)
                found.append(unit)
    return found


def whole(passages: Sequence[Passage]) -> list[Unit]:
    """Passages that hold nothing else, such as one lone word, are quoted as they are."""
    found = []
    for number, passage in enumerate(passages, start=1):
        chunk = passage.chunk
        said = _line(visible(chunk.text, chunk.markup)) or _line(chunk.text)
        found.append(Unit(number, (said,), said, " > ".join(chunk.headings), chunk.start, chunk.end))
    return found


class _Reader:
    """Goes down the blocks of a passage once, and remembers what stands above."""

    def __init__(self, passage: Passage, number: int) -> None:
        chunk = passage.chunk
        self._number = number
        self._from = chunk.start
        self._blocks = blocks(chunk.text, chunk.markup, chunk.lead)
        self._above = chunk.headings
        self._heading: Block | None = None
        self._header: Block | None = None
        self._terms: list[Block] = []
        self._lead: tuple[Block, int] | None = None  # an announcement, and how deep its list stands

    def units(self) -> Iterator[Unit]:
        for at, block in enumerate(self._blocks):
            self._leave(block, at)
            if block.kind == "heading":
                self._heading = block
            elif block.kind == "head":
                self._header = block
            elif block.kind == "row":
                header = [_line(self._header.text)] if self._header else []
                yield self._unit(block, [*header, _line(block.text)], _line(block.text))
            elif block.kind == "code":
                yield from self._code(block, at)
            elif block.kind == "term":
                yield from self._term(block, at)
            else:
                yield from self._prose(block, at)
        yield from self._procedures()

    def _procedures(self) -> Iterator[Unit]:
        """Runs of at least three numbered items, one after the other."""
        run: list[Block] = []
        for block in [*self._blocks, None]:
            if block is not None and block.kind == "item" and block.number:
                if not run or (block.level == run[-1].level and _count(block) == _count(run[-1]) + 1):
                    run.append(block)
                    continue
            elif block is not None and run and block.kind != "heading" and block.level >= run[-1].level:
                continue  # what stands under an item
            if len(run) >= _LEAST_STEPS:
                yield self._steps(run)
            run = [block] if block is not None and block.kind == "item" and block.number else []

    def _steps(self, run: Sequence[Block]) -> Unit:
        lines = [_numbered(block, _line(block.text)) for block in run]
        at = self._blocks.index(run[0])
        heading = next((b for b in reversed(self._blocks[:at]) if b.kind == "heading"), None)
        whole = self._unit(run[0], lines, " ".join(lines), heading)
        return replace(whole, end=self._from + run[-1].places[-1] + 1, steps=True)

    def _leave(self, block: Block, at: int) -> None:
        """Forgets what does not stand above this block."""
        if block.kind not in ("row", "head"):
            self._header = None
        if block.kind == "heading":
            self._terms, self._lead = [], None
        if block.kind == "term":
            above = self._blocks[at - 1] if at else None
            alone = above is None or above.kind != "term"
            self._terms = [t for t in self._terms if t.level < block.level or not alone]
        elif block.kind in ("text", "item"):
            self._terms = [
                t
                for t in self._terms
                if t.level < block.level or (t.level == block.level and block.kind == "text")
            ]
        if self._lead and (block.kind == "text" and block.level < self._lead[1]):
            self._lead = None

    def _term(self, block: Block, at: int) -> Iterator[Unit]:
        self._terms.append(block)
        below = self._blocks[at + 1] if at + 1 < len(self._blocks) else None
        if below is None or below.kind == "heading":  # its definition was cut off
            yield self._unit(block, [_line(block.text)], _line(block.text), answers=False)

    def _code(self, block: Block, at: int) -> Iterator[Unit]:
        lines = block.text.splitlines()
        if not block.text.strip():
            return
        shown = [CODE + line for line in lines[:_MOST_LINES]]
        above = self._blocks[at - 1] if at else None
        before: Block | None = None
        if above and above.kind in ("text", "item") and (said := _sentences(above)):
            before = said[-1]
        lead = [_line(before.text)] if before and len(before.text) <= _LONGEST_BEFORE else self._term_lines()
        yield self._unit(block, [*lead, *shown], "\n".join(lines[:_MOST_LINES]), before)

    def _prose(self, block: Block, at: int) -> Iterator[Unit]:
        said = _sentences(block)
        announced = self._lead[0] if self._lead and block.level >= self._lead[1] else None
        for turn, sentence in enumerate(said):
            last = turn + 1 == len(said)
            core = _line(sentence.text)
            lines = [_numbered(block, core) if turn == 0 else core]
            answers = not core.rstrip(" \"'”’)").endswith("?") and not self._is_torn(sentence)
            if last and (core.endswith(":") or self._is_code(at + 1)):
                below = self._announced(at)
                lines += below
                answers = answers and (bool(below) or not core.endswith(":"))
                if core.endswith(":"):
                    self._lead = (sentence, block.level + 1)
                core = " ".join([core, *map(str.strip, below)])
            if turn and _POINTS_BACK.match(core) and len(said[turn - 1].text) <= _LONGEST_BEFORE:
                lines = [f"{_line(said[turn - 1].text)} {lines[0]}", *lines[1:]]
            elif turn == 0 and _POINTS_BACK.match(core) and (before := self._sentence_above(at)):
                lines = [before, *lines]
            if self._terms:
                lines = self._under_terms(lines, turn == 0 and self._blocks[at - 1] is self._terms[-1])
            elif announced and block.kind == "item" and len(announced.text) <= _LONGEST_LEAD:
                lines = [_line(announced.text), *lines]
            yield self._unit(sentence, lines, core, announced, answers)

    def _is_torn(self, sentence: Block) -> bool:
        """A piece of a sentence that began in the passage before this one, or goes on in the next."""
        first, last = self._blocks[0], self._blocks[-1]
        begins = bool(first.places) and sentence.places[0] == first.places[0] and first.kind == "text"
        ends = bool(last.places) and sentence.places[-1] == last.places[-1] and last.kind == "text"
        return (begins and _TORN_OFF.match(sentence.text) is not None) or (
            ends and sentence.text[-1:].isalnum()
        )

    def _sentence_above(self, at: int) -> str:
        above = self._blocks[at - 1] if at else None
        if above is None or above.kind != "text" or above.level != self._blocks[at].level:
            return ""
        said = _sentences(above)
        return _line(said[-1].text) if said and len(said[-1].text) <= _LONGEST_BEFORE else ""

    def _is_code(self, at: int) -> bool:
        if at >= len(self._blocks):
            return False
        block = self._blocks[at]
        return block.kind == "code" or (block.kind == "text" and _READS_AS_CODE.match(block.text) is not None)

    def _announced(self, at: int) -> list[str]:
        """The list, rows or code under a sentence, as much of it as is short."""
        below = self._blocks[at + 1 :]
        if not below or below[0].kind in ("heading", "term"):
            return []
        first = below[0]
        if first.kind == "text":
            said = _sentences(first)
            return [_line(said[0].text)] if said else []
        if first.kind == "code":
            return [CODE + line for line in first.text.splitlines()[:_MOST_LINES]]
        kinds = ("item",) if first.kind == "item" else ("head", "row")
        bullet = "- " if first.kind == "item" else ""
        shown: list[str] = []
        for part in takewhile(lambda part: part.kind in kinds and part.level >= first.level, below):
            shown.append(_numbered(part, _line(part.text), bullet))
            if len(shown) > _MOST_LINES or sum(map(len, shown)) > _LONGEST_LIST:
                return shown[:-1]
        return shown

    def _under_terms(self, lines: Sequence[str], begins: bool) -> list[str]:
        """A number, as of a footnote or a section, is no line of its own."""
        *above, last = self._term_lines()
        if any(map(str.isalpha, last)):
            return [*above, last, *lines]
        if begins:
            return [*above, f"{last} {lines[0]}", *lines[1:]]
        return [*above, *([] if _SECTION.fullmatch(last) else [last]), *lines]

    def _term_lines(self) -> list[str]:
        return [_line(term.text) for term in self._terms[-3:]]

    def _unit(
        self,
        block: Block,
        lines: Sequence[str],
        core: str,
        above: Block | None = None,
        answers: bool = True,
    ) -> Unit:
        around = [b for b in (self._heading, *self._terms, self._header, above) if b and b.places]
        return Unit(
            passage=self._number,
            lines=tuple(lines),
            core=core,
            context=" > ".join([*self._above, *(_line(b.text) for b in around)]),
            start=self._from + block.places[0],
            end=self._from + block.places[-1] + 1,
            answers=answers,
            around=tuple((self._from + b.places[0], self._from + b.places[-1] + 1) for b in around),
        )


def _sentences(block: Block) -> list[Block]:
    return [block.part(start, end) for start, end in sentences(block.text)]


def _count(block: Block) -> int:
    return int("".join(filter(str.isdigit, block.number)) or 0)


def _numbered(block: Block, text: str, bullet: str = "") -> str:
    return f"{block.number} {text}" if block.number else bullet + text


def _line(text: str) -> str:
    return " ".join(text.split())
