"""What stands in the catalog, as values and as rows of its tables."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rag.types import Bits, Chunk, Document, Markup, Metadata, PassageVectors, Skipped

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


def insert(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    db.executemany(
        "INSERT INTO documents (id, source, file, hash, markup, metadata, pages, text, anchors, titles, cut)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_document_row(entry) for entry in entries),
    )
    db.executemany(
        "INSERT INTO chunks"
        " (id, document_id, ordinal, text, start, end, headings, page, above, key, lead, anchor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_chunk_row(c, key) for entry in entries for c, key in zip(entry.chunks, entry.keys, strict=True)),
    )


def set_meta(db: sqlite3.Connection, values: Mapping[str, str]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def _document_row(entry: Entry) -> tuple[Any, ...]:
    d = entry.document
    text = zlib.compress(d.text.encode("utf-8"), level=1)
    return (
        d.id,
        d.source,
        entry.file,
        entry.hash,
        d.markup,
        json.dumps(dict(d.metadata)),
        json.dumps(d.pages),
        text,
        json.dumps(d.anchors),
        json.dumps(d.titles),
        entry.cut,
    )


def _chunk_row(c: Chunk, key: bytes) -> tuple[Any, ...]:
    return (
        c.id, c.document_id, c.ordinal, c.text, c.start, c.end, json.dumps(c.headings), c.page,
        _above(c), key, c.lead, c.anchor,
    )  # fmt: skip


def _above(chunk: Chunk) -> str:
    """What is read before the passage's text: the text itself is kept once."""
    whole = not chunk.reading.endswith(chunk.text)
    return _WHOLE + chunk.reading if whole else chunk.reading.removesuffix(chunk.text)


def chunk_of(row: tuple[Any, ...]) -> Chunk:
    id_, document_id, source, ordinal, text, start, end, headings, page, above, metadata, *rest = row
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


def document_of(row: tuple[Any, ...]) -> Document:
    id_, text, source, metadata, markup, pages, anchors, titles = row
    return Document(
        id=id_,
        text=zlib.decompress(text).decode("utf-8"),
        source=source,
        metadata=_metadata(metadata),
        markup=cast(Markup, markup),
        pages=tuple(json.loads(pages)),
        anchors=tuple((at, name) for at, name in json.loads(anchors)),
        titles=tuple((at, level, title) for at, level, title in json.loads(titles)),
    )


def _metadata(text: str) -> Metadata:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()
    }


def embedding_row(encoded: PassageVectors) -> tuple[bytes, bytes | None, int | None]:
    vector = encoded.vector.astype(np.float32).tobytes()
    if encoded.tokens is None:
        return vector, None, None
    return vector, encoded.tokens.tobytes(), encoded.tokens.shape[1]


def bits_of(blob: bytes, width: int) -> Bits:
    """`width` is the bytes of one token."""
    return np.frombuffer(blob, np.uint8).reshape(-1, width)
