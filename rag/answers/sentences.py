"""Where the sentences of a text are: spans into it, so that a citation can point at one.

Rules, not a model: a table row, a list item and a heading each stand alone, a blank line ends
a sentence, and a full stop ends one unless it belongs to an abbreviation, an initial or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_BULLET = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+")
_ALONE = re.compile(r"[ \t]*(?:\||#{1,6}[ \t])")
# Possessive, and only from the start of a run: a page of dots must not take quadratic time.
_STOP = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_]*+(?=\s)|[。！？]++[」』”’）]*+")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*\Z")
_NEXT = re.compile(r"\s*[\"'“‘«(*_]*(.)")
_INITIAL = re.compile(r"[A-Z]\Z|(?:[A-Za-z]\.)+[A-Za-z]\Z")

_ABBREVIATIONS = """
    dr mr mrs ms prof st vs cf fig figs eq approx ca nr vol pp ed eds al dept bzw usw vgl
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_NEVER_LAST = frozenset(_ABBREVIATIONS.split())
_BEFORE_NUMBERS = frozenset(("no", "nos", "p", "sec", "ch", "art", "abs"))
_OFTEN_LAST = frozenset(("a.m", "p.m"))
# Dots that lead from what is named to what is said of it, in a line of its own.
_LEADERS = (" ....", ".....", ". . . .")
_LEADER = 4
_NEVER_FIRST = frozenset(".,;:!?…)]}")
_LONGEST_WORD = 40


def sentences(text: str) -> list[Span]:
    """The spans of all sentences that hold a letter or digit, in order and without overlap."""
    spans = [span for block in _blocks(text) for span in _split(text, *block)]
    return [(start, end) for start, end in spans if any(map(str.isalnum, text[start:end]))]


def _blocks(text: str) -> Iterator[Span]:
    """Stretches in which a line break is only a wrap: paragraphs, list items, rows, headings."""
    start = end = offset = 0
    for line in text.splitlines(keepends=True):
        alone = _ALONE.match(line) is not None or any(dots in line for dots in _LEADERS)
        bullet = _BULLET.match(line)
        if alone or bullet or not line.strip():
            yield start, end
            start = offset + (bullet.end() if bullet else 0)
        offset = end = offset + len(line)
        if alone:
            yield start, end
            start = end
    yield start, end


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    if not _ALONE.match(text, start, end):
        for stop in _STOP.finditer(text, start, end):
            if _ends_sentence(text, start, stop, end):
                yield _trim(text, start, stop.end())
                start = stop.end()
    yield _trim(text, start, end)


def _ends_sentence(text: str, start: int, stop: re.Match[str], end: int) -> bool:
    following = _NEXT.match(text, stop.end(), end)
    if following is None or stop[0][0] in "。！？":
        return True
    if len(stop[0]) >= _LEADER or following[1].islower() or following[1] in _NEVER_FIRST:
        return False
    return stop[0][0] != "." or not _is_abbreviation(_word_before(text, start, stop.start()), following[1])


def _word_before(text: str, start: int, stop: int) -> str:
    word = _LAST_WORD.search(text, max(start, stop - _LONGEST_WORD), stop)
    return word[0] if word else ""


def _is_abbreviation(word: str, following: str) -> bool:
    lower = word.casefold()
    if lower in _BEFORE_NUMBERS:
        return following.isdigit()
    if lower in _OFTEN_LAST:
        return not following.isupper()
    return lower in _NEVER_LAST or _INITIAL.match(word) is not None


def _trim(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
