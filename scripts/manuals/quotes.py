"""Which lines of an answer do not stand so in the document that they cite.

The rule. A line that carries a marker, `… [2]`, is a quotation of the document that the marker names; so is
each other line of its paragraph, code included. It is compared without any white space, and with typographic
quotes as straight ones, with two readings of the document: what a reader sees of the file, and the text that
`rag` keeps of it. On both sides what only Markdown means is left out: backticks, fences, and the bullets,
numbers and signs of headings at the start of a line. Nothing else: a lost `_`, `*` or `\\` is a misquotation.
A line that stands nowhere as a whole is taken apart where rows, terms and sentences are put together (ends of
sentences, colons, semicolons, bars, ellipses): then each part must stand so.
A paragraph without any marker is the product's own word, not a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

_MARKERS = re.compile(r"(?:\s*\[\d{1,4}\])+\s*$")
_NUMBER = re.compile(r"\[(\d{1,4})\]")
_LINE_START = re.compile(r"^(?:\s*(?:[-*+•>:]|\d{1,3}[.)]|#{1,6})(?=\s|$))+", re.MULTILINE)
# Not those of tildes: in AsciiDoc they underline titles.
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_PARTS = re.compile(r"(?<=[.!?])\s+|[:;|…]+|\.{3,}")
_ALIKE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "`": None, "−": "-", "–": "-"})


def readings(text: str) -> tuple[str, ...]:
    """A document without white space: as it is, and without what starts its lines."""
    return _squeezed(text), _squeezed(_LINE_START.sub("", text))


def misquoted(answer: str, sources: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    """The lines that do not stand so. `sources`: the readings of the document that a marker names."""
    return tuple(
        line
        for line, markers in _quoted(answer)
        if not _stands(line, [reading for marker in markers for reading in sources.get(marker, ())])
    )


def _quoted(answer: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each quoted line without its markers, and the markers that say whose it is."""
    for paragraph in _paragraphs(answer):
        marked = [(line, _numbers(line)) for line in paragraph]
        together = tuple(dict.fromkeys(number for _, numbers in marked for number in numbers))
        for line, numbers in marked if together else ():
            yield _MARKERS.sub("", line), numbers or together


def _paragraphs(answer: str) -> Iterator[list[str]]:
    """Lines between empty ones; code with its empty lines belongs to what is around it."""
    within = False
    lines: list[str] = []
    for line in answer.split("\n"):
        fence = _FENCE.match(line)
        within ^= bool(fence)
        if fence or (within and not line.strip()):
            continue
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _numbers(line: str) -> tuple[int, ...]:
    found = _MARKERS.search(line)
    return tuple(int(number) for number in _NUMBER.findall(found[0])) if found else ()


def _stands(line: str, documents: Sequence[str]) -> bool:
    wholes = (line, _LINE_START.sub("", line))
    return any(_all_in([whole], documents) or _all_in(_PARTS.split(whole), documents) for whole in wholes)


def _all_in(parts: Iterable[str], documents: Sequence[str]) -> bool:
    wanted = [squeezed for part in parts if (squeezed := _squeezed(part)) and re.search(r"\w", squeezed)]
    return all(any(part in document for document in documents) for part in wanted)


def _squeezed(text: str) -> str:
    return "".join(_FENCE.sub("", text).translate(_ALIKE).split())
