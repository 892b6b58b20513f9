"""Chroma as the dense index: batches, cosines, other clients of the same collection, a server."""

from __future__ import annotations

import gc
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import chromadb
import pytest
from support.servers.chroma_server import chroma_serving, free_port
from support.shelf import Shelf
from support.stored import chunks, vectors

from rag.errors import StoreError
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.stores.chroma import (
    ChromaIndex,
    ChromaStore,
    CloudStoreSettings,
    EmbeddedStoreSettings,
    ServerStoreSettings,
)
from rag.stores.chroma_folder import Folder


def open_index(folder: Path, family: str = "family", generation: int = 1) -> ChromaIndex:
    """Chroma in a folder, without the rows that an embedded store has beside it."""
    return ChromaStore("rag", Folder(folder / "chroma"), documents=False).open(family, generation)


# --- add, search, delete --------------------------------------------------------------------------


def test_adding_what_stands_already_writes_nothing(tmp_path: Path) -> None:
    """hnswlib's update of an entry that stands can leave other entries out of reach."""
    index, theirs = open_index(tmp_path), vectors(30)
    index.add(chunks(20), theirs[:20])
    index.add(chunks(30), theirs)
    with closing(sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3")) as db:
        written = db.execute("SELECT COUNT(*) FROM embeddings_queue").fetchone()
    assert written == (30,)
    assert len(index.search(theirs[0], 30)) == 30


def test_a_vector_of_another_dimension_is_a_store_error(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add(chunks(1), vectors(1))
    with pytest.raises(StoreError, match="dimension"):
        index.add(chunks(1, start=1), vectors(1, dimension=4))


# --- side by side ---------------------------------------------------------------------------------


def test_an_opening_that_nobody_holds_any_more_is_closed(tmp_path: Path) -> None:
    open_index(tmp_path).add(chunks(1), vectors(1))
    gc.collect()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(20):
        open_index(tmp_path).count()
    gc.collect()
    assert len([*Path("/proc/self/fd").iterdir()]) <= before


@pytest.mark.parametrize("documents", [True, False])
def test_another_client_of_chroma_reads_the_metadata_and_where_wanted_the_text(
    tmp_path: Path, documents: bool
) -> None:
    index = EmbeddedStoreSettings(path=tmp_path, documents=documents).build().open("family", 1)
    index.add(chunks(2), vectors(2))
    with closing(chromadb.PersistentClient(str(tmp_path / "chroma"))) as client:  # type: ignore[type-var]  # declared without close()
        collection = client.get_collection("rag-family-1", embedding_function=None)
        held = collection.get(ids=["id1"], include=["documents", "metadatas", "embeddings"])
    assert held["documents"] == (["text 1"] if documents else [None])
    assert held["metadatas"] == [
        {
            "source": "1.md",
            "document_id": "d1",
            "headings": "A > B",
            "page": 2,
            "chunk_start": 3,
            "chunk_end": 9,
            "year": 2024,
            "t": ["a", "b"],
        }
    ]


# --- elsewhere ------------------------------------------------------------------------------------


def test_a_server_serves_an_index_like_a_folder_and_a_lost_one_is_told_of(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("docs/a.txt", "The dome opens at dusk.")
    shelf.write("docs/b.txt", "The kettle boils at noon.")
    opened = shelf.open()
    with chroma_serving(tmp_path / "server") as (port, process):
        settings = ServerStoreSettings(kind="server", path=shelf.folder, port=port)
        opened.index = Index(shelf.folder, settings.build())
        assert opened.ingest().new == 2
        opened.check()
        assert opened.texts("When does the dome open?", "dense")[0] == "The dome opens at dusk."
        opened.rebuild()
        opened.remove("docs/b.txt")
        assert opened.texts("kettle", "dense") == ["The dome opens at dusk."]
        assert not (shelf.folder / "chroma").exists()

        process.kill()
        process.wait()
        with pytest.raises(StoreError, match="Chroma could not search"):
            opened.texts("kettle")
        with pytest.raises(StoreError, match="Chroma could not"):
            Ingestor(opened.index, LoaderSettings(), opened.chunker, opened.embedder).rebuild()


def test_a_server_that_is_not_there_is_told_of_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(StoreError, match="Chroma could not open the collection: Could not connect"):
        ServerStoreSettings(kind="server", path=tmp_path, port=free_port()).build().open("family", 1)
    assert time.monotonic() - started < 5


def test_a_copy_beside_an_index_is_never_at_a_server(tmp_path: Path) -> None:
    """It has the name of the index that it was made of, and would replace it there."""
    server = ServerStoreSettings(kind="server", path=Path("theirs"))
    cloud = CloudStoreSettings(kind="cloud", tenant="t", database="d")
    for settings in (server, cloud, EmbeddedStoreSettings(path=Path("ours"))):
        beside = settings.beside(tmp_path)
        assert (beside.sends_to(), beside.path) == ("", tmp_path)
