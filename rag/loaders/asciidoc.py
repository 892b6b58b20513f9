"""AsciiDoc, in its own words: what its marks mean, chunker and answers know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from rag.loaders.raw import RawFile
from rag.types import Document

_TITLE = re.compile(r"\A\s*(?:(?:[/:]).*\n+)*(?:= (.+)|(\S.*)\n(={3,})[ \t]*)$", re.MULTILINE)
_NAMED = re.compile(r"^\[(?:\[([^\[\],]+)(?:,[^\]]*)?\]|#([^\[\],]+))\][ \t]*$", re.MULTILINE)
# What stands in no other text: a term's colons with its definition in the next line (reStructuredText has
# an empty one there), what is said of the block below, and a plus that joins two blocks.
_MARKS = re.compile(
    r"^(?:(?!\.\.|//)\S.*[^\s:]::[ \t]*\n(?=[ \t]*\S)"
    r"|(?:\[\[[\w-]+\]\]|\[(?:verse|quote|source|NOTE|TIP|WARNING|options?|cols)\b.*\])[ \t]*$"
    r"|(?<=\S\n)\+\n(?=[^+\s]))",
    re.MULTILINE,
)
_LEAST_MARKS = 2
_UNDERLINED = re.compile(r"(?<=\n\n)(\S[^\n]*)\n([-=~^])\2{2,}[ \t]*$", re.MULTILINE)
_LEAST_TITLES = 3


def load(file: RawFile) -> Iterable[Document]:
    text = file.text()
    yield file.document(text, {"title": title(text)}, markup="asciidoc", anchors=tuple(_anchors(text)))


def is_asciidoc(text: str) -> bool:
    """For a file whose name does not tell; any text with underlined titles can be read as if it were."""
    marks = sum(1 for _ in islice(_MARKS.finditer(text), _LEAST_MARKS))
    return marks == _LEAST_MARKS or sum(map(_is_title, _UNDERLINED.finditer(text))) >= _LEAST_TITLES


def _is_title(found: re.Match[str]) -> bool:
    return abs(found.end() - found.end(1) - 1 - len(found[1])) <= 2


def title(text: str) -> str | None:
    found = _TITLE.match(text)
    if found is None or (found[3] and abs(len(found[3]) - len(found[2])) > 2):
        return None
    return (found[1] or found[2]).strip()


def _anchors(text: str) -> Iterator[tuple[int, str]]:
    for found in _NAMED.finditer(text):
        yield found.start(), found[1] or found[2]
