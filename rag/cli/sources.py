"""How the sources of an answer are shown: each place once, its numbers without gaps, its path from here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag.answers.citations import renumbered, uri
from rag.shown import in_line
from rag.types import Answer, Citation, Passage

# More than so many folders up, the source's own name is easier to read.
_MOST_UP = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """A place in the documents under the number by which an answer cites it. `link` opens it."""

    number: int
    place: str
    flags: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """`file_of`: where the file of a source lies; of what is in no file, nowhere."""

    file_of: Callable[[str], Path | None]

    def name(self, source: str) -> str:
        """The path from the working folder, which every command takes; else the name in the index."""
        _, mark, part = source.partition("#")
        found = self.file_of(source)
        if found is None or not found.exists():
            return in_line(source)
        here = os.path.relpath(found, Path.cwd())
        if here.startswith(os.path.join(*[os.pardir] * (_MOST_UP + 1))):
            return in_line(source)
        return in_line(f"{here}{mark}{part}")

    def place(self, source: str, page: int | None, heading: str | None) -> str:
        return ", ".join([self.name(source), *([f"page {page}"] if page else []), *filter(None, [heading])])

    def also(self, passage: Passage) -> str:
        others = passage.candidate.also
        return f" (also in {', '.join(map(self.name, others))})" if others else ""

    def of_passage(self, passage: Passage) -> str:
        chunk = passage.chunk
        return self.place(chunk.source, chunk.page, " › ".join(chunk.headings)) + self.also(passage)

    def link(self, citation: Citation) -> str:
        return self._link(citation.uri or "", citation.source or "")

    def link_of(self, passage: Passage) -> str:
        return self._link(uri(passage.chunk), passage.chunk.source)

    def _link(self, address: str, source: str) -> str:
        """What opens a place; empty where nothing could."""
        if urlsplit(address).scheme in ("http", "https"):
            return address
        found = self.file_of(source) if source else None
        if found is None or not found.exists():
            return ""
        _, mark, fragment = address.partition("#")
        return f"{found.absolute().as_uri()}{mark}{fragment}"


def numbers(answer: Answer, names: Names) -> Mapping[int, int]:
    """For each passage that is cited the number of its place, counted as they are met."""
    given: dict[str, int] = {}
    found: dict[int, int] = {}
    for citation in answer.citations:
        place = _place(citation, answer.passages, names) or f"[{citation.marker}]"
        found[citation.marker] = given.setdefault(place, len(given) + 1)
    return found


def sources(answer: Answer, names: Names) -> list[Shown]:
    given = numbers(answer, names)
    found: dict[int, Shown] = {}
    for citation in answer.citations:
        number = given[citation.marker]
        before = found.get(number)
        flags = dict.fromkeys([*(before.flags if before else ()), citation.status])
        place = _place(citation, answer.passages, names)
        link = before.link if before else names.link(citation)
        found[number] = Shown(number, place, tuple(flag for flag in flags if flag != "ok"), link)
    return list(found.values())


def numbered_text(answer: Answer, names: Names) -> str:
    """Markers of the text by the numbers of `sources`. What only quotes has them at the ends of its lines."""
    quotes = answer.trace.generate is not None and not answer.trace.generate.model
    return renumbered(answer.text, numbers(answer, names), at_line_ends=quotes)


def _place(citation: Citation, passages: Sequence[Passage], names: Names) -> str:
    if citation.source is None:
        return ""
    where = names.place(citation.source, citation.page, citation.heading)
    return where + names.also(passages[citation.marker - 1])
