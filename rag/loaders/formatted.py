"""A manual page as a terminal shows it, in a text or in a `pre`: columns tell its structure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from rag.loaders.pdf_geometry import Placed, measure
from rag.loaders.pdf_layout import Heading, write
from rag.loaders.pdf_lines import Line, Word
from rag.loaders.pdf_pages import join_broken

_SECTION = re.compile(r"[A-Z][A-Z0-9 ,/&()_-]*\Z")
_NAMES = frozenset(("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"))
_LEAST_NAMES = 2
_TITLE = re.compile(r"\s*[\w.+:-]+\(\d\w{0,5}\)(?=\s)")
_SUBSECTION = 4  # columns, the most that one stands in
_LEAST_STEP = 3
_BULLETS = frozenset("o*•·")
_NO_TERM = re.compile(r"\A(?:•|\(?(?:\d{1,3}|[a-z])[.)]) |[.:;,'{(\\]\Z")
_LONGEST_TERM = 60
# What columns and lines are to the reader of places: a letter is three columns large, a line four high.
_LETTER, _LINE = 3.0, 4.0
_NOTHING = Placed(Line(""), 0)


def is_page(text: str) -> bool:
    """Its sections have names at the margin, and their text is set in."""
    lines = text.split("\n")
    named = {
        line for line, below in pairwise(lines) if line in _NAMES and below[:2].isspace() and below.strip()
    }
    return len(named) >= _LEAST_NAMES


def title(text: str) -> str | None:
    """ls(1), as its first line has it."""
    found = _TITLE.match(text)
    return found[0].strip().lower() if found else None


def as_markdown(text: str) -> str:
    (lines,) = join_broken([[*_lines(text)]])
    told = list(_named(_set([Placed(line, 0, line.x) for line in lines])))
    written, _ = write(told, dict(_headings(told)), measure(told), 1)
    return written


def _lines(text: str) -> Iterator[Line]:
    for row, line in enumerate(text.expandtabs().split("\n")):
        words = tuple(Word(w[0], w.start(), w.end()) for w in re.finditer(r"\S+", line))
        if len(words) > 1 and words[0].text in _BULLETS:
            words = (replace(words[0], text="•"), *words[1:])
        if words:
            yield Line(" ".join(w.text for w in words), words, -_LINE * row, -_LINE * row, _LETTER)


def _set(lines: Sequence[Placed]) -> list[Placed]:
    """Two blanks within a line only fill it, unless the line below hangs there. Last lines are not filled."""
    return [
        _closed(placed, below.x) if _follows(placed, below) else placed
        for placed, below in pairwise([*lines, _NOTHING])
    ]


def _closed(placed: Placed, hangs: float) -> Placed:
    words = list(placed.line.words)
    for at, (before, word) in enumerate(pairwise(words)):
        if word.x - before.right == 2 and word.x != hangs:
            words[at] = replace(before, right=before.right + 1)
    return replace(placed, line=replace(placed.line, words=tuple(words)))


def _follows(above: Placed, below: Placed) -> bool:
    return bool(below.line.words) and above.line.y - _LINE == below.line.y


def _named(lines: Sequence[Placed]) -> Iterator[Placed]:
    """Terms as if they were bold: those with their definition deeper, right under them, and terms alone
    above such a one."""
    terms = [_is_term(*some) for some in zip([_NOTHING, *lines], lines, [*lines[1:], _NOTHING], strict=False)]
    for at in reversed(range(len(lines) - 1)):
        begins, below = _begins(lines[at - 1] if at else _NOTHING, lines[at]), lines[at + 1]
        terms[at] = terms[at] or (begins and terms[at + 1] and below.x == lines[at].x)
    for placed, is_term in zip(lines, terms, strict=True):
        bold = tuple(replace(word, bold=True) for word in placed.line.words)
        yield replace(placed, line=replace(placed.line, words=bold)) if is_term else placed


def _is_term(above: Placed, placed: Placed, below: Placed) -> bool:
    text = placed.line.text
    deeper = _follows(placed, below) and below.x >= placed.x + _LEAST_STEP
    return deeper and _begins(above, placed) and len(text) <= _LONGEST_TERM and not _NO_TERM.search(text)


def _begins(above: Placed, placed: Placed) -> bool:
    """It goes on no paragraph."""
    apart = not above.line.words or not _follows(above, placed)
    return (apart or abs(above.x - placed.x) >= _LEAST_STEP) and not _NO_TERM.search(placed.line.text)


def _headings(lines: Sequence[Placed]) -> Iterator[tuple[int, Heading]]:
    for at, (placed, below) in enumerate(pairwise(lines)):
        if below.x <= placed.x:
            continue
        if placed.x == 0 and _SECTION.match(placed.line.text):
            yield at, Heading(1, placed.line.text, 1)
        elif 0 < placed.x <= _SUBSECTION and len(placed.line.words) < 8:
            yield at, Heading(2, placed.line.text, 1)
