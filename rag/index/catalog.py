"""The truth about the index: which documents are in it, their passages, and every embedding ever paid for.

One SQLite file beside the vectors. Chroma and the lexical index are derived from it and can be
rebuilt from it without one embedding call. A passage that has no row here does not exist.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import local
from typing import Any, cast
from uuid import uuid4

import numpy as np

from rag.errors import StoreError
from rag.types import Bits, Chunk, Document, Floats, Markup, Metadata, PassageVectors, Skipped

CATALOG = "catalog.sqlite"
SCHEMA_VERSION = "3"
# What version 2 had not; an index of that version gets it as it is opened.
_ADDED = {
    "documents": (
        "anchors TEXT NOT NULL DEFAULT '[]'",
        "titles TEXT NOT NULL DEFAULT '[]'",
        "cut TEXT NOT NULL DEFAULT ''",
    ),
    "chunks": ("lead TEXT NOT NULL DEFAULT ''", "anchor TEXT NOT NULL DEFAULT ''"),
}
# Pages of SQLite's own size would be a sixth empty, by the end of each row of vector and bits.
_PAGE_BYTES = 2048
_SWITCH_ATTEMPTS = 50
# Before a reading that does not end with its passage's text, and therefore stands whole.
_WHOLE = "\x00"

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

_CHUNK = """
SELECT c.id, c.document_id, d.source, c.ordinal, c.text, c.start, c.end, c.headings, c.page, c.above,
    d.metadata, d.markup, c.lead, c.anchor
FROM chunks c JOIN documents d ON d.id = c.document_id
"""
_UNUSED = "NOT EXISTS (SELECT 1 FROM chunks c WHERE c.key = embeddings.key)"
# One parameter whatever the number of ids: SQLite's own limit on parameters never applies.
_IN = "IN (SELECT value FROM json_each(?))"


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


class Catalog:
    """A connection a thread; whoever reads is never blocked by the writer (WAL)."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._local = local()
        self._writer = uuid4().hex
        self._changes = count(1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._create()
        except (OSError, sqlite3.Error, StoreError) as error:
            raise StoreError(f"the catalog {path} cannot be opened: {error}") from error
        self._file = _file_of(self._path)
        if (found := self.meta("schema")) != SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by another version of rag (schema {found}): use that version"
            )

    def _create(self) -> None:
        self._db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # heeded by a new file only
        self._keep_a_log()
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pending'").fetchone():
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        if self.meta("schema") in (None, "2"):
            self._migrate()

    def _migrate(self) -> None:
        """A new file, or one of the version before."""
        with self._write() as db:
            for table, columns in _ADDED.items():
                there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
                for column in columns:
                    if column.split()[0] not in there:
                        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
            _set_meta(db, {"schema": SCHEMA_VERSION})

    def _keep_a_log(self) -> None:
        """SQLite does not wait for others that switch a new file at the same moment."""
        for attempt in count(1):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except StoreError:
                if attempt == _SWITCH_ATTEMPTS:
                    raise
                time.sleep(0.02)

    # --- what the index is ---------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, **values: str) -> None:
        with self._write() as db:
            _set_meta(db, values)

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
        self._notice_another_file()
        return self.meta("version") or ""

    def announce(self) -> None:
        """Leaves a new version: whoever has the derived indexes open must look at them anew."""
        with self._write() as db:
            self._change(db)

    def made(self, version: str) -> bool:
        """Was it this object that left this version?"""
        return version.startswith(self._writer)

    def _change(self, db: sqlite3.Connection) -> None:
        _set_meta(db, {"version": f"{self._writer}-{next(self._changes)}"})

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        row = self._db.execute(
            "SELECT (SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM chunks)"
        ).fetchone()
        return int(row[0]), int(row[1])

    def copy_to(self, path: Path) -> None:
        """A whole copy, while others may write."""
        with closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)

    def text_bytes(self) -> int:
        row = self._db.execute("SELECT COALESCE(SUM(LENGTH(CAST(text AS BLOB))), 0) FROM chunks").fetchone()
        return int(row[0])

    # --- reading --------------------------------------------------------------------------

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """Those of the ids that exist: a passage whose document is not in the catalog is invisible."""
        rows = self._db.execute(f"{_CHUNK} WHERE c.id {_IN}", (json.dumps(ids),))
        return {row[0]: _chunk(row) for row in rows}

    def standing(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that exist."""
        rows = self._db.execute(f"SELECT id FROM chunks WHERE id {_IN}", (json.dumps(ids),))
        return frozenset(row[0] for row in rows)

    def chunks_of(self, source: str) -> list[Chunk]:
        rows = self._db.execute(f"{_CHUNK} WHERE d.source = ? ORDER BY c.ordinal", (source,))
        return [_chunk(row) for row in rows]

    def all_chunks(self, size: int) -> Iterator[list[Chunk]]:
        """Every chunk, `size` at a time, in the order of their ids."""
        last = ""
        while rows := self._db.execute(
            f"{_CHUNK} WHERE c.id > ? ORDER BY c.id LIMIT ?", (last, size)
        ).fetchall():
            yield [_chunk(row) for row in rows]
            last = rows[-1][0]

    def vectors(self, ids: Sequence[str]) -> dict[str, Floats]:
        rows = self._db.execute(
            f"SELECT c.id, e.vector FROM chunks c JOIN embeddings e ON e.key = c.key WHERE c.id {_IN}",
            (json.dumps(ids),),
        )
        return {row[0]: np.frombuffer(row[1], np.float32) for row in rows}

    def tokens(self, chunks: Sequence[Chunk]) -> list[Bits | None]:
        """The token bits kept at ingest, in the order given."""
        rows = self._db.execute(
            "SELECT c.id, e.tokens, e.token_width FROM chunks c JOIN embeddings e ON e.key = c.key "
            f"WHERE c.id {_IN}",
            (json.dumps([chunk.id for chunk in chunks]),),
        )
        found = {id_: _bits(blob, width) for id_, blob, width in rows if blob}
        return [found.get(chunk.id) for chunk in chunks]

    def entries(self) -> Iterator[Entry]:
        """Every document with its file and hash, to be cut anew: without its chunks."""
        rows = self._db.execute(
            "SELECT id, text, source, metadata, markup, pages, anchors, titles, file, hash"
            " FROM documents ORDER BY source"
        )
        for *document, file, content in rows:
            yield Entry(_document(tuple(document)), file, content, (), ())

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
        rows = [(key, *_embedding_row(e)) for key, e in zip(keys, encoded, strict=True)]
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", rows)
            db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", ((key,) for key in keys))

    def cached_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        rows = self._by_keys("SELECT key, vector FROM embeddings", keys)
        return {key: np.frombuffer(vector, np.float32) for key, vector in rows}

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
            _insert(db, entries)
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
            _insert(db, entries)
            _set_meta(db, {"fingerprint": fingerprint})
            self._switch(db, generation)

    def _switch(self, db: sqlite3.Connection, generation: int) -> None:
        _set_meta(db, {"generation": str(generation)})
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

    # --- connections ----------------------------------------------------------------------

    @property
    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            # Autocommit: a transaction is opened where one is meant, by _write.
            self._local.db = sqlite3.connect(
                self._path, timeout=30, isolation_level=None, check_same_thread=False, factory=_Connection
            )
        return cast(sqlite3.Connection, self._local.db)

    def close(self) -> None:
        """Closes the connection of every thread. A later reading opens another."""
        self._local = local()

    def _notice_another_file(self) -> None:
        """A catalog that was restored, or taken away, under a reader that goes on asking."""
        if (now := _file_of(self._path)) != self._file:
            self.close()
            self._file = now

    @contextmanager
    def snapshot(self, still: bool = False) -> Iterator[None]:
        """All that this thread reads meanwhile is of one moment; if `still`, nobody writes meanwhile."""
        db = self._db
        db.execute("BEGIN IMMEDIATE" if still else "BEGIN")
        try:
            yield
        finally:
            db.execute("ROLLBACK")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


class _Connection(sqlite3.Connection):
    """Tells of a full disk or a damaged file as of other trouble with the index. Closed with its thread."""

    def __del__(self) -> None:
        self.close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with _translated():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        with _translated():
            return super().executemany(sql, parameters)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # a mistake of ours
        raise StoreError(f"the catalog cannot be used: {error}") from error


def _file_of(path: Path) -> tuple[int, int]:
    """Which file a path leads to."""
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(
            f"the catalog {path} is gone: `rag restore` brings back a backup, `rag ingest` makes it anew"
        ) from error
    return found.st_dev, found.st_ino


def _insert(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
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


def _set_meta(db: sqlite3.Connection, values: Mapping[str, str]) -> None:
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


def _chunk(row: tuple[Any, ...]) -> Chunk:
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


def _document(row: tuple[Any, ...]) -> Document:
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


def _embedding_row(encoded: PassageVectors) -> tuple[bytes, bytes | None, int | None]:
    vector = encoded.vector.astype(np.float32).tobytes()
    if encoded.tokens is None:
        return vector, None, None
    return vector, encoded.tokens.tobytes(), encoded.tokens.shape[1]


def _bits(blob: bytes, width: int) -> Bits:
    """`width` is the bytes of one token."""
    return np.frombuffer(blob, np.uint8).reshape(-1, width)
