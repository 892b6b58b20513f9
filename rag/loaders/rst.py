"""reStructuredText: its titles as Markdown headings, all else as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rag.loaders.markdown import first_heading
from rag.loaders.raw import RawFile
from rag.types import Document

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+\s*$")

_ROLE = re.compile(r":[\w:+.-]+:`[!~]?([^`<]+?)(?: <[^`]*>)?`")  # :mod:`json` is read as json


def load(file: RawFile) -> Iterable[Document]:
    text = "\n".join(_with_headings(file.text().split("\n")))
    yield file.document(text, {"title": first_heading(text)}, markup="markdown")


def _with_headings(lines: list[str]) -> Iterator[str]:
    """A title's level is the order in which its adornment first appeared, as docutils has it."""
    levels: dict[str, int] = {}
    at, above = 0, ""
    while at < len(lines):
        title, style, size = _section(lines[at : at + 3], above)
        if title:
            level = levels.setdefault(style, len(levels) + 1)
            yield "#" * min(level, 6) + " " + _ROLE.sub(r"\1", title)
        else:
            yield lines[at]
        at, above = at + size, "" if title else lines[at]


def _section(lines: list[str], above: str) -> tuple[str, str, int]:
    """Title, adornment and number of lines of the section title that starts here, if one does."""
    first, second, third = (*lines, "", "")[:3]
    overlined = _ADORNMENT.match(first) and third.rstrip() == first.rstrip()
    if overlined and second.strip() and not _ADORNMENT.match(second):
        return second.strip(), first[0] * 2, 3
    starts_block = not above.strip() or above.startswith("..")
    if starts_block and _is_title(first) and _ADORNMENT.match(second) and _fits(first, second):
        return first.strip(), second[0], 2
    return "", "", 1


def _is_title(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not _ADORNMENT.match(line)


def _fits(title: str, underline: str) -> bool:
    return len(underline.rstrip()) >= min(len(title.rstrip()), 4)
