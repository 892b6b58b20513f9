"""One contract over every store: what is added is found by its cosine, until it is deleted or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.new_kinds.memory import MemorySettings
from support.servers.chroma_server import chroma_serving
from support.stored import chunks, vectors

from rag.errors import InputError
from rag.filters import Where
from rag.protocols import VectorStore
from rag.stores.chroma import EmbeddedStoreSettings, ServerStoreSettings

TAGS: dict[str, int | str] = {"month": 5, "year": 2024, "t": "a"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with chroma_serving(tmp_path_factory.mktemp("server")) as (port, _):
        yield port


@pytest.fixture(params=["embedded", "server", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> VectorStore:
    if request.param == "server":
        port = request.getfixturevalue("port")
        return ServerStoreSettings(kind="server", port=port, collection=tmp_path.name).build()
    if request.param == "memory":
        return MemorySettings(kind="memory", path=tmp_path).build()
    return EmbeddedStoreSettings(path=tmp_path).build()


def test_more_chunks_than_one_batch_go_in_and_out(store: VectorStore) -> None:
    index, many, theirs = store.open("family", 1), chunks(1100), vectors(1100)
    index.add(many, theirs)
    assert index.count() == 1100
    assert index.search(theirs[1099], 1)[0].id == "id1099"
    index.delete([chunk.id for chunk in many[:1000]])
    assert index.count() == 100


def test_a_score_is_the_cosine_and_the_nearest_come_first(store: VectorStore) -> None:
    index, some, question = store.open("family", 1), vectors(50), vectors(1)[0]
    index.add(chunks(50), some)
    hits = index.search(question, 10)
    cosines = np.stack(some) @ question
    expected = np.argsort(-cosines)[:10]
    assert [hit.id for hit in hits] == [f"id{i}" for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(cosines[expected], abs=1e-5)


def test_adding_an_id_again_replaces_its_metadata_wholly(store: VectorStore) -> None:
    index, (first,), (vector,) = store.open("family", 1), chunks(1), vectors(1)
    index.add([first], [vector])
    index.add([replace(first, metadata={"month": 5})], [vector])
    assert index.count() == 1
    found = {key: bool(index.search(vector, 5, Where.of({key: value}))) for key, value in TAGS.items()}
    assert found == {"month": True, "year": False, "t": False}


@pytest.mark.parametrize("size", [600, 2000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("wanted", ["words", "numbers", "both keys"])
def test_a_filter_may_have_thousands_of_values(store: VectorStore, size: int, wanted: str) -> None:
    index, some, theirs = store.open("family", 1), chunks(20), vectors(20)
    index.add([replace(c, metadata={"year": i, "t": (f"w{i}", "x")}) for i, c in enumerate(some)], theirs)
    words = [f"w{i}" for i in (*range(5, 10), *range(100, 95 + size))]
    numbers = [*range(3, 8), *range(100, 95 + size)]
    where: dict[str, list[str] | list[int]] = {
        "words": {"t": words},
        "numbers": {"year": numbers},
        "both keys": {"t": words, "year": numbers[:20]},
    }[wanted]
    expected = {"words": range(5, 10), "numbers": range(3, 8), "both keys": range(5, 8)}[wanted]
    hits = index.search(theirs[6], 50, Where.of(where))
    assert hits[0].id == "id6"
    assert {hit.id for hit in hits} == {f"id{i}" for i in expected}


@pytest.mark.parametrize("store", ["server"], indirect=True)
def test_a_filter_beyond_what_a_server_can_do_is_an_error_that_names_its_keys(store: VectorStore) -> None:
    index, some = store.open("family", 1), vectors(5)
    index.add(chunks(5), some)
    many = Where.of({"t": [f"w{i}" for i in range(9000)], "year": [*range(5000)]})
    with pytest.raises(InputError, match=r"a filter of so many values \('t' 9000, 'year' 5000\)"):
        index.search(some[0], 5, many)


def test_an_empty_index_and_an_empty_wish_find_nothing(store: VectorStore) -> None:
    index, (vector,) = store.open("family", 1), vectors(1)
    assert index.search(vector, 5) == []
    index.add(chunks(1), [vector])
    assert index.search(vector, 0) == []
    index.delete([])
    index.delete(["nowhere"])
    assert index.count() == 1


def test_generations_are_apart_and_only_those_of_the_family_are_dropped(store: VectorStore) -> None:
    for family, generation in (("family", 1), ("family", 2), ("family", 12), ("other", 1)):
        store.open(family, generation).add(chunks(generation), vectors(generation))
    store.drop_all_but("family", 2)
    assert store.open("family", 2).count() == 2
    assert store.open("other", 1).count() == 1
    assert store.open("family", 1).count() == store.open("family", 12).count() == 0
