"""What stands in the catalog, as values and as rows of its tables."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rag.errors import StoreError
from rag.types import Bits, Chunk, Document, Floats, Markup, Metadata, PassageVectors, Skipped

# Before a reading that does not end with its passage's text, and therefore stands whole.
_WHOLE = "\x00"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that is wholly in the index: its hash, its documents, and what of it was skipped."""

    hash: str
    documents: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as it is to stand in the catalog: with its passages, the keys of their embeddings, and the
    fingerprint of the chunker that made them."""

    document: Document
    file: str
    hash: str
    chunks: tuple[Chunk, ...]
    keys: tuple[bytes, ...]
    cut: str = ""


# What stands in a row, in the order in which its checksum is made. A chunk's has what it is read with.
DOCUMENT = "id, text, source, metadata, markup, pages, anchors, titles, file, hash, cut"
CHUNK = (
    "c.id, c.document_id, d.source, c.ordinal, c.text, c.start, c.end, c.headings, c.page, c.above, "
    "d.metadata, d.markup, c.lead, c.anchor"
)


def insert(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    db.executemany(
        f"INSERT INTO documents ({DOCUMENT}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_document_row(entry) for entry in entries),
    )
    db.executemany(
        "INSERT INTO chunks"
        " (id, document_id, ordinal, text, start, end, headings, page, above, key, lead, anchor, crc)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row for entry in entries for row in _chunk_rows(entry)),
    )


def set_meta(db: sqlite3.Connection, values: Mapping[str, str]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def _document_row(entry: Entry) -> tuple[Any, ...]:
    d = entry.document
    text, metadata = zlib.compress(d.text.encode("utf-8"), level=1), json.dumps(dict(d.metadata))
    places = json.dumps(d.pages), json.dumps(d.anchors), json.dumps(d.titles)
    row = d.id, text, d.source, metadata, d.markup, *places, entry.file, entry.hash, entry.cut
    return *row, crc_of(row)


def _chunk_rows(entry: Entry) -> Iterator[tuple[Any, ...]]:
    d, metadata = entry.document, json.dumps(dict(entry.document.metadata))
    for c, key in zip(entry.chunks, entry.keys, strict=True):
        place, heads, above = (c.ordinal, c.text, c.start, c.end), json.dumps(c.headings), _above(c)
        read = (
            c.id,
            c.document_id,
            d.source,
            *place,
            heads,
            c.page,
            above,
            metadata,
            d.markup,
            c.lead,
            c.anchor,
        )
        yield c.id, c.document_id, *place, heads, c.page, above, key, c.lead, c.anchor, crc_of(read)


def crc_of(row: Sequence[Any]) -> int:
    """A checksum of a row's values, whatever SQLite's pages say of themselves."""
    said = [
        value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass") for value in row
    ]
    return zlib.crc32(b"\x00".join(said))


def _check(row: Sequence[Any], crc: int | None, what: str) -> None:
    """Rows that a version without checksums wrote have none."""
    if crc is not None and crc != crc_of(row):
        raise _damaged(what)


def _damaged(what: str) -> StoreError:
    return StoreError(
        f"the catalog is damaged at {what}: `rag doctor --deep` tells what else is, and what mends it"
    )


def _above(chunk: Chunk) -> str:
    """What is read before the passage's text: the text itself is kept once."""
    whole = not chunk.reading.endswith(chunk.text)
    return _WHOLE + chunk.reading if whole else chunk.reading.removesuffix(chunk.text)


def chunk_of(row: tuple[Any, ...]) -> Chunk:
    """Of `CHUNK` and its checksum."""
    *said, crc = row
    _check(said, crc, f"the passage {row[0]}")
    id_, document_id, source, ordinal, text, start, end, headings, page, above, metadata, *rest = said
    markup, lead, anchor = rest
    return Chunk(
        id=id_,
        document_id=document_id,
        source=source,
        ordinal=ordinal,
        text=text,
        start=start,
        end=end,
        headings=tuple(json.loads(headings)),
        page=page,
        reading=above.removeprefix(_WHOLE) if above.startswith(_WHOLE) else above + text,
        metadata=_metadata(metadata),
        markup=cast(Markup, markup),
        lead=lead,
        anchor=anchor,
    )


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Of `DOCUMENT` and its checksum: without chunks."""
    *said, crc = row
    _check(said, crc, f"the document {row[2]}")
    id_, text, source, metadata, markup, pages, anchors, titles, file, content, cut = said
    document = Document(
        id=id_,
        text=zlib.decompress(text).decode("utf-8"),
        source=source,
        metadata=_metadata(metadata),
        markup=cast(Markup, markup),
        pages=tuple(json.loads(pages)),
        anchors=tuple((at, name) for at, name in json.loads(anchors)),
        titles=tuple((at, level, title) for at, level, title in json.loads(titles)),
    )
    return Entry(document, file, content, (), (), cut)


def _metadata(text: str) -> Metadata:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()
    }


def embedding_row(key: bytes, encoded: PassageVectors) -> tuple[bytes, bytes, bytes | None, int | None, int]:
    """One number for two checksums: who reads a vector need not read the bits, which are much longer."""
    vector = encoded.vector.astype(np.float32).tobytes()
    tokens = None if encoded.tokens is None else encoded.tokens.tobytes()
    width = None if encoded.tokens is None else encoded.tokens.shape[1]
    return key, vector, tokens, width, _crc_of_bits(tokens, width) << 32 | crc_of((key, vector))


def _crc_of_bits(tokens: bytes | None, width: int | None) -> int:
    """One bit less: SQLite's numbers have a sign."""
    return crc_of((tokens, width)) >> 1


def vector_of(key: bytes, vector: bytes, crc: int | None) -> Floats:
    _check((key, vector), None if crc is None else crc & 0xFFFFFFFF, "an embedding")
    return np.frombuffer(vector, np.float32)


def bits_of(tokens: bytes | None, width: int | None, crc: int | None) -> Bits | None:
    """`width` is the bytes of one token."""
    if crc is not None and crc >> 32 != _crc_of_bits(tokens, width):
        raise _damaged("the token bits of a passage")
    return np.frombuffer(tokens, np.uint8).reshape(-1, width or 1) if tokens else None


def embedding_of(row: Sequence[Any]) -> None:
    key, vector, tokens, width, crc = row
    vector_of(key, vector, crc)
    bits_of(tokens, width, crc)


def is_whole(row: tuple[Any, ...], read: Callable[[tuple[Any, ...]], object]) -> bool:
    """Can it be read, and is it as it was written?"""
    try:
        read(row)
    except (StoreError, ValueError, TypeError, AttributeError, zlib.error):
        return False
    return True
