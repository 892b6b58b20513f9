"""The truth about the index: which documents are in it, their passages, and every embedding ever paid for.

One SQLite file beside the vectors. Chroma and the lexical index are derived from it and can be
rebuilt from it without one embedding call. A passage that has no row here does not exist.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from rag.errors import StoreError
from rag.index.connection import Connections
from rag.index.rows import (
    CHUNK,
    DOCUMENT,
    Entry,
    FileRecord,
    bits_of,
    chunk_of,
    embedding_of,
    embedding_row,
    entry_of,
    insert,
    is_whole,
    set_meta,
    vector_of,
)
from rag.types import Bits, Chunk, Floats, PassageVectors, Skipped

CATALOG = "catalog.sqlite"
SCHEMA_VERSION = "3"
# Of all else in the row; rows of earlier versions have none.
_CRC = "crc INTEGER"
# What version 2 had not; an index of that version gets it as it is opened.
_ADDED = {
    "documents": (
        "anchors TEXT NOT NULL DEFAULT '[]'",
        "titles TEXT NOT NULL DEFAULT '[]'",
        "cut TEXT NOT NULL DEFAULT ''",
        _CRC,
    ),
    "chunks": ("lead TEXT NOT NULL DEFAULT ''", "anchor TEXT NOT NULL DEFAULT ''", _CRC),
    "embeddings": (_CRC,),
}
# Pages of SQLite's own size would be a sixth empty, by the end of each row of vector and bits.
_PAGE_BYTES = 2048

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    source TEXT PRIMARY KEY, hash TEXT NOT NULL, documents INTEGER NOT NULL, skipped TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, source TEXT NOT NULL UNIQUE, file TEXT NOT NULL, hash TEXT NOT NULL,
    markup TEXT NOT NULL, metadata TEXT NOT NULL, pages TEXT NOT NULL, text BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_by_file ON documents (file);
CREATE TABLE IF NOT EXISTS chunks (
    id TEXT PRIMARY KEY, document_id TEXT NOT NULL, ordinal INTEGER NOT NULL, text TEXT NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, headings TEXT NOT NULL, page INTEGER,
    above TEXT NOT NULL, key BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (document_id);
CREATE INDEX IF NOT EXISTS chunks_by_key ON chunks (key);
CREATE TABLE IF NOT EXISTS embeddings (
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, tokens BLOB, token_width INTEGER
);
-- Ids whose place in Chroma and the lexical index may differ from what `chunks` says.
CREATE TABLE IF NOT EXISTS dirty (id TEXT PRIMARY KEY);
-- Embeddings that lost a chunk, and those that never had one yet: swept once nothing refers to them.
CREATE TABLE IF NOT EXISTS freed (key BLOB PRIMARY KEY);
CREATE TABLE IF NOT EXISTS pending (key BLOB PRIMARY KEY);
"""

_CHUNK = f"SELECT {CHUNK}, c.crc FROM chunks c JOIN documents d ON d.id = c.document_id"
_EMBEDDED = "FROM chunks c JOIN embeddings e ON e.key = c.key"
_UNUSED = "NOT EXISTS (SELECT 1 FROM chunks c WHERE c.key = embeddings.key)"
# One parameter whatever the number of ids: SQLite's own limit on parameters never applies.
_IN = "IN (SELECT value FROM json_each(?))"


class Catalog:
    """A connection a thread; whoever reads is never blocked by the writer (WAL)."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._connections = Connections(self.path)
        self._writer = uuid4().hex
        self._changes = count(1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._connections.writable:
                self._create()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the catalog {path} cannot be opened: {error}") from error
        self._connections.notice_another_file()
        if not self._has("embeddings", "crc"):
            raise StoreError(
                f"{path} is of an earlier version and can only be read: whoever may write to it needs to "
                "open it once, by `rag status`"
            )
        if (found := self.meta("schema")) != SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by another version of rag (schema {found}): use that version"
            )

    def _create(self) -> None:
        self._db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # heeded by a new file only
        self._connections.keep_a_log()
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pending'").fetchone():
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        if self.meta("schema") in (None, "2") or not self._has("embeddings", "crc"):
            self._migrate()

    def _migrate(self) -> None:
        """A new file, or one of the version before."""
        with self._write() as db:
            for table, columns in _ADDED.items():
                for column in columns:
                    if not self._has(table, column.split()[0]):
                        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
            set_meta(db, {"schema": SCHEMA_VERSION})

    def _has(self, table: str, column: str) -> bool:
        return column in {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}

    # --- what the index is ---------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, **values: str) -> None:
        with self._write() as db:
            set_meta(db, values)

    def identity(self) -> str:
        """This catalog's own name, given once."""
        if self.meta("identity") is None:
            with self._write() as db:
                db.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (uuid4().hex[:12],))
        return cast(str, self.meta("identity"))

    def generation(self) -> int:
        """Which generation of the derived indexes is to be used."""
        return int(self.meta("generation") or 1)

    def version(self) -> str:
        """Another one whenever what is to be seen has changed."""
        self._connections.notice_another_file()
        return self.meta("version") or ""

    def announce(self) -> None:
        """Leaves a new version: whoever has the derived indexes open must look at them anew."""
        with self._write() as db:
            self._change(db)

    def made(self, version: str) -> bool:
        """Was it this object that left this version?"""
        return version.startswith(self._writer)

    def _change(self, db: sqlite3.Connection) -> None:
        set_meta(db, {"version": f"{self._writer}-{next(self._changes)}"})

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        row = self._db.execute(
            "SELECT (SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM chunks)"
        ).fetchone()
        return int(row[0]), int(row[1])

    def copy_to(self, path: Path) -> None:
        """A whole copy, while others may write."""
        self._connections.copy_to(path)

    def text_bytes(self) -> int:
        row = self._db.execute("SELECT COALESCE(SUM(LENGTH(CAST(text AS BLOB))), 0) FROM chunks").fetchone()
        return int(row[0])

    # --- reading --------------------------------------------------------------------------

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """Those of the ids that exist: a passage whose document is not in the catalog is invisible."""
        rows = self._db.execute(f"{_CHUNK} WHERE c.id {_IN}", (json.dumps(ids),))
        return {row[0]: chunk_of(row) for row in rows}

    def standing(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that exist."""
        rows = self._db.execute(f"SELECT id FROM chunks WHERE id {_IN}", (json.dumps(ids),))
        return frozenset(row[0] for row in rows)

    def chunks_of(self, source: str) -> list[Chunk]:
        rows = self._db.execute(f"{_CHUNK} WHERE d.source = ? ORDER BY c.ordinal", (source,))
        return [chunk_of(row) for row in rows]

    def all_chunks(self, size: int) -> Iterator[list[Chunk]]:
        """Every chunk, `size` at a time, in the order of their ids."""
        last = ""
        while rows := self._db.execute(
            f"{_CHUNK} WHERE c.id > ? ORDER BY c.id LIMIT ?", (last, size)
        ).fetchall():
            yield [chunk_of(row) for row in rows]
            last = rows[-1][0]

    def vectors(self, ids: Sequence[str]) -> dict[str, Floats]:
        rows = self._db.execute(
            f"SELECT c.id, e.key, e.vector, e.crc {_EMBEDDED} WHERE c.id {_IN}", (json.dumps(ids),)
        )
        return {id_: vector_of(*row) for id_, *row in rows}

    def tokens(self, chunks: Sequence[Chunk]) -> list[Bits | None]:
        """The token bits kept at ingest, in the order given."""
        rows = self._db.execute(
            f"SELECT c.id, e.tokens, e.token_width, e.crc {_EMBEDDED} WHERE c.id {_IN}",
            (json.dumps([chunk.id for chunk in chunks]),),
        )
        found = {id_: bits_of(*row) for id_, *row in rows}
        return [found.get(chunk.id) for chunk in chunks]

    def entries(self) -> Iterator[Entry]:
        """Every document with its file and hash, to be cut anew: without its chunks."""
        rows = self._db.execute(f"SELECT {DOCUMENT}, crc FROM documents ORDER BY source")
        yield from map(entry_of, rows)

    def document_ids(self, sources: Sequence[str]) -> list[str]:
        rows = self._db.execute(f"SELECT id FROM documents WHERE source {_IN}", (json.dumps(sources),))
        return [row[0] for row in rows]

    def sources(self) -> list[tuple[str, str]]:
        """(source, file) of each document: a file such as a jsonl can hold many."""
        return self._db.execute("SELECT source, file FROM documents ORDER BY source").fetchall()

    def files(self) -> dict[str, FileRecord]:
        rows = self._db.execute("SELECT source, hash, documents, skipped FROM files")
        return {s: FileRecord(h, n, tuple(Skipped(*item) for item in json.loads(j))) for s, h, n, j in rows}

    def hashes(self, file: str) -> dict[str, str]:
        """Id and hash of each document that came from this file."""
        return dict(self._db.execute("SELECT id, hash FROM documents WHERE file = ?", (file,)))

    def cut_otherwise(self, file: str, cut: str) -> frozenset[str]:
        """Ids of the file's documents whose passages another chunker has made."""
        rows = self._db.execute("SELECT id FROM documents WHERE file = ? AND cut != ?", (file, cut))
        return frozenset(row[0] for row in rows)

    def files_cut_otherwise(self, cut: str) -> frozenset[str]:
        rows = self._db.execute("SELECT DISTINCT file FROM documents WHERE cut != ?", (cut,))
        return frozenset(row[0] for row in rows)

    def metadata_keys(self) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT j.key FROM documents d, json_each(d.metadata) j ORDER BY 1")
        return [row[0] for row in rows]

    # --- the embedding cache --------------------------------------------------------------

    def missing(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those of the keys that have no embedding yet, once each, in the order given."""
        wanted = list(dict.fromkeys(keys))
        known = {row[0] for row in self._by_keys("SELECT key FROM embeddings", wanted)}
        return [key for key in wanted if key not in known]

    def put_embeddings(self, keys: Sequence[bytes], encoded: Sequence[PassageVectors]) -> None:
        rows = [embedding_row(key, e) for key, e in zip(keys, encoded, strict=True)]
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", ((key,) for key in keys))

    def cached_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        rows = self._by_keys("SELECT key, vector, crc FROM embeddings", keys)
        return {row[0]: vector_of(*row) for row in rows}

    def _by_keys(self, select: str, keys: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        # Keys are bytes, which JSON cannot carry: a bounded list of parameters at a time instead.
        for at in range(0, len(keys), 500):
            part = keys[at : at + 500]
            yield from self._db.execute(f"{select} WHERE key IN ({','.join('?' * len(part))})", part)

    # --- writing, under the writer's lock ---------------------------------------------------

    def mark_dirty(self, ids: Sequence[str]) -> None:
        """Notes what is about to be written, so that a question can look past it."""
        with self._write() as db:
            db.executemany("INSERT OR IGNORE INTO dirty VALUES (?)", ((id_,) for id_ in ids))
            if ids:
                self._change(db)

    def dirty(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT id FROM dirty")]

    def dirty_count(self) -> int:
        return int(self._db.execute("SELECT COUNT(*) FROM dirty").fetchone()[0])

    def clear_dirty(self) -> None:
        """Both derived indexes agree with the catalog again."""
        with self._write() as db:
            if db.execute("DELETE FROM dirty").rowcount:
                self._change(db)

    def commit(
        self, entries: Sequence[Entry], gone: Sequence[str], files: Mapping[str, FileRecord]
    ) -> list[str]:
        """The moment at which documents become visible, are replaced, or vanish: one transaction.

        `gone` are document ids. Returns the chunk ids that are stale now; they are dirty until
        `clear_dirty`.
        """
        with self._write() as db:
            old = [*gone, *(entry.document.id for entry in entries)]
            stale_rows = db.execute(
                f"SELECT id, key FROM chunks WHERE document_id {_IN}", (json.dumps(old),)
            ).fetchall()
            db.execute(f"DELETE FROM chunks WHERE document_id {_IN}", (json.dumps(old),))
            db.execute(f"DELETE FROM documents WHERE id {_IN}", (json.dumps(old),))
            insert(db, entries)
            db.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                (
                    (s, r.hash, r.documents, json.dumps([(k.source, k.reason) for k in r.skipped]))
                    for s, r in files.items()
                ),
            )
            new = {chunk.id for entry in entries for chunk in entry.chunks}
            stale = [id_ for id_, _ in stale_rows if id_ not in new]
            db.executemany("INSERT OR IGNORE INTO dirty VALUES (?)", ((id_,) for id_ in stale))
            db.executemany("INSERT OR IGNORE INTO freed VALUES (?)", ((key,) for _, key in stale_rows))
            if old:
                self._change(db)
            return stale

    def forget_files(self, files: Sequence[str]) -> None:
        with self._write() as db:
            db.execute(f"DELETE FROM files WHERE source {_IN}", (json.dumps(files),))

    def switch(self, generation: int) -> None:
        """Another generation is used from now on. Nothing in it differs from what stands here."""
        with self._write() as db:
            self._switch(db, generation)

    def replace_all(self, entries: Sequence[Entry], fingerprint: str, generation: int) -> None:
        """Every document anew, with the settings they were cut and encoded by: one transaction."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO freed SELECT key FROM chunks")
            db.execute("DELETE FROM chunks")
            db.execute("DELETE FROM documents")
            insert(db, entries)
            set_meta(db, {"fingerprint": fingerprint})
            self._switch(db, generation)

    def _switch(self, db: sqlite3.Connection, generation: int) -> None:
        set_meta(db, {"generation": str(generation)})
        db.execute("DELETE FROM dirty")
        self._change(db)

    def sweep(self, pending: bool = False) -> None:
        """Drops the embeddings of removed and replaced texts, unless another chunk has the same text.

        `pending` ones too once their ingest is through: no chunk came of them, and none will.
        """
        with self._write() as db:
            if pending:
                db.execute("INSERT OR IGNORE INTO freed SELECT key FROM pending")
                db.execute("DELETE FROM pending")
            db.execute(f"DELETE FROM embeddings WHERE key IN (SELECT key FROM freed) AND {_UNUSED}")
            db.execute("DELETE FROM freed")

    # --- damage ----------------------------------------------------------------------------

    def check(self) -> None:
        """Reads all of it."""
        if self.damaged_pages() or self.damaged_documents() or self.damaged_passages():
            raise StoreError(
                f"the catalog {self.path} is damaged: `rag doctor --deep` tells where, and what mends it"
            )

    def damaged_pages(self) -> str:
        """What SQLite finds wrong with its file; nothing where all is well."""
        try:
            (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        except StoreError as error:
            return str(error.__cause__ or error)
        return "" if found == "ok" else str(found).partition("\n")[2] or str(found)

    def damaged_documents(self) -> list[str]:
        """Those whose row is not as it was written, and those of which only passages are left."""
        rows = self._db.execute(f"SELECT {DOCUMENT}, crc FROM documents")
        damaged = [str(row[2]) for row in rows if not is_whole(row, entry_of)]
        orphans = self._db.execute(
            "SELECT DISTINCT document_id FROM chunks WHERE document_id NOT IN (SELECT id FROM documents)"
        )
        return [*damaged, *(str(row[0]) for row in orphans)]

    def damaged_passages(self) -> int:
        """Those whose row or embedding is not as it was written, or is missing."""
        (lacking,) = self._db.execute(
            "SELECT COUNT(*) FROM chunks WHERE key NOT IN (SELECT key FROM embeddings)"
        ).fetchone()
        damaged = sum(not is_whole(row, chunk_of) for row in self._db.execute(_CHUNK))
        return int(lacking) + damaged + len(self._damaged_embeddings())

    def drop_damaged_embeddings(self) -> None:
        """They are to be made anew."""
        with self._write() as db:
            db.executemany("DELETE FROM embeddings WHERE key = ?", ((k,) for k in self._damaged_embeddings()))

    def _damaged_embeddings(self) -> list[bytes]:
        rows = self._db.execute("SELECT key, vector, tokens, token_width, crc FROM embeddings")
        return [row[0] for row in rows if not is_whole(row, embedding_of)]

    # --- connections ----------------------------------------------------------------------

    def snapshot(self, still: bool = False) -> AbstractContextManager[None]:
        """All that this thread reads meanwhile is of one moment; if `still`, nobody writes meanwhile."""
        return self._connections.snapshot(still)

    def close(self) -> None:
        """Closes the connection of every thread. A later reading opens another."""
        self._connections.close()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._connections.db

    def _write(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._connections.writing()
