"""Chroma as the dense index: batches, cosines, other clients of the same collection, a server."""

from __future__ import annotations

import gc
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import chromadb
import numpy as np
import pytest
from support.shelf import Shelf

from rag.errors import StoreError
from rag.filters import Where
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.stores.chroma import ChromaIndex, EmbeddedStoreSettings, ServerStoreSettings
from rag.types import Chunk, Floats

RANDOM = np.random.RandomState(1)
TAGS: dict[str, int | str] = {"month": 5, "year": 2024, "t": "a"}


def chunks(count: int, start: int = 0) -> list[Chunk]:
    return [
        Chunk(
            f"id{i}",
            f"d{i}",
            f"{i}.md",
            0,
            f"text {i}",
            3,
            9,
            ("A", "B"),
            2,
            metadata={"year": 2024, "t": ("a", "b")},
        )
        for i in range(start, start + count)
    ]


def vectors(count: int, dimension: int = 8) -> list[Floats]:
    made = RANDOM.standard_normal((count, dimension)).astype(np.float32)
    return [*(made / np.linalg.norm(made, axis=1, keepdims=True))]


def open_index(folder: Path, family: str = "family", generation: int = 1) -> ChromaIndex:
    return EmbeddedStoreSettings(path=folder).build().open(family, generation)


# --- add, search, delete --------------------------------------------------------------------------


def test_more_chunks_than_one_batch_go_in_and_out(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    many, theirs = chunks(1100), vectors(1100)
    index.add(many, theirs)
    assert index.count() == 1100
    assert index.search(theirs[1099], 1)[0].id == "id1099"
    index.delete([chunk.id for chunk in many[:1000]])
    assert index.count() == 100


def test_a_score_is_the_cosine_and_the_nearest_come_first(tmp_path: Path) -> None:
    index, some = open_index(tmp_path), vectors(50)
    index.add(chunks(50), some)
    question = vectors(1)[0]
    hits = index.search(question, 10)
    cosines = np.stack(some) @ question
    expected = np.argsort(-cosines)[:10]
    assert [hit.id for hit in hits] == [f"id{i}" for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(cosines[expected], abs=1e-5)


def test_adding_an_id_again_replaces_its_metadata_wholly(tmp_path: Path) -> None:
    index, (first,), (vector,) = open_index(tmp_path), chunks(1), vectors(1)
    index.add([first], [vector])
    index.add([replace(first, metadata={"month": 5})], [vector])
    assert index.count() == 1
    found = {key: bool(index.search(vector, 5, Where.of({key: value}))) for key, value in TAGS.items()}
    assert found == {"month": True, "year": False, "t": False}


def test_adding_what_stands_already_writes_nothing(tmp_path: Path) -> None:
    """hnswlib's update of an entry that stands can leave other entries out of reach."""
    index, theirs = open_index(tmp_path), vectors(30)
    index.add(chunks(20), theirs[:20])
    index.add(chunks(30), theirs)
    with closing(sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3")) as db:
        written = db.execute("SELECT COUNT(*) FROM embeddings_queue").fetchone()
    assert written == (30,)
    assert len(index.search(theirs[0], 30)) == 30


def test_an_empty_index_and_an_empty_wish_find_nothing(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    assert index.search(vectors(1)[0], 5) == []
    index.add(chunks(1), vectors(1))
    assert index.search(vectors(1)[0], 0) == []
    index.delete([])
    index.delete(["nowhere"])
    assert index.count() == 1


def test_a_vector_of_another_dimension_is_a_store_error(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add(chunks(1), vectors(1))
    with pytest.raises(StoreError, match="dimension"):
        index.add(chunks(1, start=1), vectors(1, dimension=4))


def test_nearly_all_of_the_true_nearest_are_found_after_many_replacements(tmp_path: Path) -> None:
    """Deleted entries stay in the graph of an HNSW index; its settings must stand that."""
    index = open_index(tmp_path)
    index.add(chunks(600), vectors(600, 32))
    index.delete([f"id{i}" for i in range(0, 600, 2)])
    standing = vectors(500, 32)
    index.delete([f"id{i}" for i in range(1, 600, 2)])
    index.add(chunks(500, start=1000), standing)
    found = 0
    for question in vectors(20, 32):
        true = {f"id{1000 + i}" for i in np.argsort(-(np.stack(standing) @ question))[:20]}
        found += len(true & {hit.id for hit in index.search(question, 20)})
    # The graph is built by threads, never twice the same: a single question may miss two.
    assert found >= 0.95 * 20 * 20
    missed = [i for i, own in enumerate(standing) if index.search(own, 3)[0].id != f"id{1000 + i}"]
    # Threads that add at the same time can leave one out of reach, in Chroma alone as well.
    assert len(missed) <= 1


# --- side by side ---------------------------------------------------------------------------------


def test_generations_are_apart_and_only_those_of_the_family_are_dropped(tmp_path: Path) -> None:
    store = EmbeddedStoreSettings(path=tmp_path).build()
    for family, generation in (("family", 1), ("family", 2), ("family", 12), ("other", 1)):
        store.open(family, generation).add(chunks(generation), vectors(generation))
    store.drop_all_but("family", 2)
    assert store.open("family", 2).count() == 2
    assert store.open("other", 1).count() == 1
    assert store.open("family", 1).count() == store.open("family", 12).count() == 0


def test_an_opening_shows_what_any_other_opening_has_written_before_it(tmp_path: Path) -> None:
    first = open_index(tmp_path)
    first.add(chunks(5), vectors(5))
    assert len(first.search(vectors(1)[0], 20)) == 5
    second = open_index(tmp_path)
    second.add(chunks(1200, start=5), vectors(1200))
    own = vectors(1)
    first = open_index(tmp_path)
    first.add(chunks(1, start=5000), own)
    for index in (first, open_index(tmp_path)):
        assert index.count() == 1206
        assert index.search(own[0], 1)[0].id == "id5000"
        assert len(index.search(own[0], 1206)) >= 1200


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


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port, folder = free_port(), tmp_path_factory.mktemp("server")
    command = [str(Path(sys.executable).parent / "chroma"), "run", "--path", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < until, "the server did not start"
                    time.sleep(0.1)
            yield port, process
        finally:
            process.kill()


def test_a_server_serves_an_index_like_a_folder_and_a_lost_one_is_told_of(
    server: tuple[int, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    port, process = server
    shelf = Shelf(tmp_path)
    shelf.write("docs/a.txt", "The dome opens at dusk.")
    shelf.write("docs/b.txt", "The kettle boils at noon.")
    opened = shelf.open()
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
