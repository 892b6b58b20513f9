"""The catalog refuses what it cannot use, in words, and keeps what it was given."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.fakes import WordEmbedder

from rag.errors import StoreError
from rag.index.catalog import Catalog
from rag.index.rows import Entry, FileRecord
from rag.types import Chunk, Document, Metadata, PassageVectors, Skipped


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "index" / "catalog.sqlite")


def entry(name: str, *texts: str) -> Entry:
    metadata: Metadata = {"year": 2024, "draft": True, "rate": 0.5, "tags": ("a", "b")}
    document = Document(f"id-{name}", "\n".join(texts), name, metadata, "markdown", (0, 5))
    chunks = tuple(
        Chunk(
            f"{name}-{i}", document.id, name, i, t, 0, len(t), ("A", "B"), 2, f"A\n{t}", metadata, "markdown"
        )
        for i, t in enumerate(texts)
    )
    return Entry(document, name, "hash", chunks, tuple(t.encode().ljust(16) for t in texts))


def put(catalog: Catalog, entry: Entry) -> None:
    vectors = WordEmbedder().embed_passages([chunk.reading for chunk in entry.chunks])
    catalog.put_embeddings(entry.keys, vectors)
    catalog.commit([entry], [], {entry.file: FileRecord("h", 1, (Skipped("x", "why"),))})


def test_a_chunk_and_a_document_come_back_as_they_were_put_in(catalog: Catalog) -> None:
    given = entry("a.md", "First — naïve 🌍", "Second")
    put(catalog, given)
    assert tuple(catalog.chunks_of("a.md")) == given.chunks
    assert catalog.chunks(["a.md-1", "nowhere"]) == {"a.md-1": given.chunks[1]}
    (kept,) = catalog.entries()
    assert kept.document == given.document
    assert catalog.files() == {"a.md": FileRecord("h", 1, (Skipped("x", "why"),))}


def test_vectors_and_token_bits_come_back_as_they_were_put_in(catalog: Catalog) -> None:
    given = entry("a.md", "First", "Second")
    embedded = WordEmbedder().embed_passages(["First", "Second"])
    catalog.put_embeddings(given.keys, embedded)
    catalog.commit([given], [], {})
    vectors = catalog.vectors(["a.md-0", "a.md-1"])
    for chunk, made, bits in zip(given.chunks, embedded, catalog.tokens(given.chunks), strict=True):
        assert np.array_equal(vectors[chunk.id], made.vector)
        assert bits is not None
        assert made.tokens is not None
        assert np.array_equal(bits, made.tokens)


def test_where_no_token_bits_were_made_there_are_none(catalog: Catalog) -> None:
    given = entry("a.md", "First")
    catalog.put_embeddings(given.keys, [PassageVectors(np.ones(8, np.float32))])
    catalog.commit([given], [], {})
    assert catalog.tokens(given.chunks) == [None]


def test_all_chunks_are_read_page_by_page_each_once(catalog: Catalog) -> None:
    put(catalog, entry("a.md", *(f"text {i}" for i in range(23))))
    pages = [*catalog.all_chunks(5)]
    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert len({chunk.id for page in pages for chunk in page}) == 23


def test_thousands_of_ids_and_keys_are_no_problem_for_sqlite(catalog: Catalog) -> None:
    ids = [f"id {i} ' \" ]" for i in range(40_000)]
    assert catalog.chunks(ids) == {}
    assert len(catalog.missing([i.to_bytes(16, "big") for i in range(40_000)])) == 40_000


# --- what cannot be used --------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"garbage, garbage, garbage" * 400)
    with pytest.raises(StoreError, match=r"damaged \(file is not a database\): `rag restore FILE"):
        Catalog(tmp_path / "catalog.sqlite")


def test_a_database_with_damaged_pages_is_told_of_as_a_damaged_index(
    catalog: Catalog, tmp_path: Path
) -> None:
    put(catalog, entry("a.md", *(f"text{i}" * 99 for i in range(100))))
    path = tmp_path / "index" / "catalog.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError):
        Catalog(path).chunks_of("a.md")


DAMAGE = {
    "a passage's text": ("UPDATE chunks SET text = 'Fjrst'", "the passage a.md-0"),
    "its heading": ("UPDATE chunks SET headings = '[\"B\"]'", "the passage a.md-0"),
    "its metadata": ("UPDATE documents SET metadata = '{}'", "the passage a.md-0"),
    "a document's text": ("UPDATE documents SET text = x'00'", "the document a.md"),
    "its name": ("UPDATE documents SET source = 'b.md'", "the passage a.md-0"),
    "its pages": ("UPDATE documents SET pages = '[0]'", "the document a.md"),
    "a vector": ("UPDATE embeddings SET vector = zeroblob(LENGTH(vector))", "an embedding"),
    "token bits": ("UPDATE embeddings SET tokens = zeroblob(LENGTH(tokens))", "the token bits"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_value_that_is_not_as_it_was_written_is_never_read_as_if_it_were(
    catalog: Catalog, tmp_path: Path, what: str
) -> None:
    given = entry("a.md", "First")
    put(catalog, given)
    damage, named = DAMAGE[what]
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute(damage)
        db.commit()

    def read() -> None:
        catalog.chunks(["a.md-0"])
        list(catalog.entries())
        catalog.vectors(["a.md-0"])
        catalog.tokens(given.chunks)

    with pytest.raises(StoreError, match=f"the catalog is damaged at {named}.*: `rag doctor --deep`"):
        read()


def test_rows_of_a_version_without_checksums_are_read(catalog: Catalog, tmp_path: Path) -> None:
    given = entry("a.md", "First")
    put(catalog, given)
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        for table in ("documents", "chunks", "embeddings"):
            db.execute(f"UPDATE {table} SET crc = NULL")
        db.commit()
    assert tuple(catalog.chunks_of("a.md")) == given.chunks
    assert (
        len(list(catalog.entries())) == len(catalog.vectors(["a.md-0"])) == len(catalog.tokens(given.chunks))
    )


def test_a_writer_that_stands_still_keeps_no_reader_waiting(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, entry("a.md", "First"))
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert Catalog(tmp_path / "index" / "catalog.sqlite").counts() == (1, 1)
        assert time.monotonic() - started < 0.5


@pytest.mark.slow
def test_a_process_that_keeps_the_catalog_for_itself_is_told_of_within_seconds(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.close()
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("UPDATE meta SET value = value")
        started = time.monotonic()
        with pytest.raises(StoreError, match="held by another process"):
            Catalog(tmp_path / "index" / "catalog.sqlite")
        assert time.monotonic() - started < 3


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(StoreError, match="cannot be opened"):
        Catalog(tmp_path / "index" / "catalog.sqlite")


@pytest.mark.parametrize("schema", ["0", "99"])
def test_the_catalog_of_an_older_or_newer_version_is_refused(
    catalog: Catalog, tmp_path: Path, schema: str
) -> None:
    catalog.set_meta(schema=schema)
    with pytest.raises(StoreError, match=f"another version of rag .schema {schema}."):
        Catalog(tmp_path / "index" / "catalog.sqlite")


def test_a_failed_write_leaves_nothing_behind_and_the_next_one_works(catalog: Catalog) -> None:
    put(catalog, entry("a.md", "First"))
    broken = entry("b.md", "Second", "Third")
    twice = Entry(broken.document, "b.md", "h", (broken.chunks[0], broken.chunks[0]), broken.keys)
    with pytest.raises(sqlite3.IntegrityError):
        catalog.commit([twice], ["id-a.md"], {})
    assert catalog.sources() == [("a.md", "a.md")]
    put(catalog, broken)
    assert catalog.counts() == (2, 3)


# --- many at once ---------------------------------------------------------------------------------


def test_sixteen_threads_read_while_one_writes(catalog: Catalog) -> None:
    put(catalog, entry("a.md", "First", "Second"))

    def read(_: int) -> bool:
        return all(len(catalog.chunks_of("a.md")) == 2 for _ in range(100))

    with ThreadPoolExecutor(17) as pool:
        readers = pool.map(read, range(16))
        for number in range(30):
            put(catalog, entry(f"{number}.md", "text"))
        assert all(readers)


def test_sixteen_openings_of_a_new_catalog_agree_on_its_name(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        names = pool.map(lambda _: Catalog(tmp_path / "catalog.sqlite").identity(), range(16))
    assert len({*names}) == 1


def test_a_catalog_named_by_a_relative_path_stays_the_same_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    catalog = Catalog(Path("index/catalog.sqlite"))
    put(catalog, entry("a.md", "First"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(catalog.counts).result() == (1, 1)
    assert [*(tmp_path / "elsewhere").iterdir()] == []
