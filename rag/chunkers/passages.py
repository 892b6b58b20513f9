"""What every chunker ends with: spans of a document become chunks with ids, pages, headings and anchors."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Chunk, Document

# Between the title of a page and the name of its site.
_SITE = re.compile(r"\s*[-–—|·:»›]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A span, and what above it is to be read with it. `terms`: the definitions that it is a part of;
    `begins`: it begins with the last of them."""

    start: int
    end: int
    lead: str = ""
    terms: tuple[str, ...] = ()
    begins: bool = False


def make_chunk(
    document: Document, ordinal: int, piece: Piece, headings: Sequence[str], reading: str
) -> Chunk:
    return Chunk(
        id=_chunk_id(document.id, ordinal, piece.start, reading),
        document_id=document.id,
        source=document.source,
        ordinal=ordinal,
        text=document.text[piece.start : piece.end],
        start=piece.start,
        end=piece.end,
        headings=tuple(headings),
        page=bisect_right(document.pages, piece.start) if document.pages else None,
        reading=reading,
        metadata=document.metadata,
        lead=piece.lead,
        anchor=_anchor(document, piece.start),
        markup=document.markup,
    )


def with_title(document: Document, headings: tuple[str, ...]) -> tuple[str, ...]:
    """The document's title in front of the path, unless the path begins with it; nothing twice in a row."""
    title = document.metadata.get("title")
    path = headings
    if isinstance(title, str) and title.strip():
        if not headings or not _begins_with(title, headings[0]):
            path = (title, *headings)
        elif _qualifies(title, headings[0]):
            path = (title, *headings[1:])
    return tuple(name for at, name in enumerate(path) if not at or _bare(name) != _bare(path[at - 1]))


def reading(headings: Sequence[str], text: str, lead: str = "") -> str:
    """What embedder and reranker read: the headings that the text does not begin with, then the text."""
    first_line = text.lstrip("# \t").split("\n", 1)[0].strip("# \t")
    above = headings[:-1] if headings and headings[-1].strip("# \t") == first_line else headings
    return f"{heading_line(above)}{lead}{text}"


def heading_line(headings: Sequence[str]) -> str:
    return f"{' > '.join(headings)}\n" if headings else ""


def _begins_with(title: str, heading: str) -> bool:
    said, wanted = _bare(title), _bare(heading)
    return bool(wanted) and said.startswith(wanted) and not said[len(wanted) :][:1].isalnum()


def _qualifies(title: str, heading: str) -> bool:
    """The title says more than the heading that it begins with: a year, not the name of the site."""
    said, told = _bare(title), len(_bare(heading))
    return len(said) > told and not _SITE.match(said, told)


def _bare(name: str) -> str:
    return " ".join(name.split()).casefold()


def _anchor(document: Document, start: int) -> str:
    found = bisect_right(document.anchors, start, key=lambda anchor: anchor[0])
    return document.anchors[found - 1][1] if found else ""


def _chunk_id(document_id: str, ordinal: int, start: int, reading: str) -> str:
    """Deterministic, so that ingesting twice writes the same rows and a crash can be repaired."""
    identity = f"{document_id}\x00{ordinal}\x00{start}\x00{reading}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
