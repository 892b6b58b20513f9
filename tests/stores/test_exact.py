"""Exact search beside Chroma: every vector is found, whatever came and went, and however the writer ended."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.stored import chunks, vectors

from rag.errors import StoreError
from rag.filters import Where
from rag.stores.chroma import EmbeddedStoreSettings
from rag.stores.exact import ExactIndex
from rag.types import Chunk, Floats


def nearest(standing: dict[str, Floats], question: Floats, n: int) -> list[str]:
    """As a search has to find them."""
    return sorted(standing, key=lambda id_: (-float(standing[id_] @ question), id_))[:n]


def found(index: ExactIndex, question: Floats, n: int, where: Where | None = None) -> list[str]:
    return [hit.id for hit in index.search(question, n, where)]


def test_after_any_history_of_additions_and_deletions_the_nearest_are_the_true_ones(tmp_path: Path) -> None:
    """As many die as stand, several times over: the rows are written anew in between."""
    draw, standing, made = random.Random(0), dict[str, Floats](), 0
    for _ in range(30):
        index = ExactIndex(tmp_path)
        some = vectors(200, 32)
        index.add(chunks(200, start=made), some)
        standing |= {f"id{made + i}": vector for i, vector in enumerate(some)}
        made += 200
        gone = draw.sample(sorted(standing), len(standing) // 2)
        index.delete(gone)
        for id_ in gone:
            del standing[id_]
        for question in vectors(3, 32):
            for opened in (index, ExactIndex(tmp_path)):
                assert found(opened, question, 20) == nearest(standing, question, 20)
    assert index.count() == len(standing)
    assert all(found(index, vector, 1) == [id_] for id_, vector in standing.items())
    index.check()
    assert len([*tmp_path.iterdir()]) == 3


def test_who_reads_goes_on_while_the_rows_are_written_anew(tmp_path: Path) -> None:
    theirs = vectors(3000)
    index = ExactIndex(tmp_path)
    index.add(chunks(3000), theirs)
    reader = ExactIndex(tmp_path)
    index.delete([f"id{i}" for i in range(2000)])
    index.add(chunks(1000, start=5000), vectors(1000))
    assert found(reader, theirs[0], 1) == ["id0"]
    assert found(index, theirs[2500], 1) == ["id2500"]
    assert reader.count() == 3000
    assert index.count() == ExactIndex(tmp_path).count() == 2000


def test_what_a_writer_left_that_was_killed_before_the_end_never_counts(tmp_path: Path) -> None:
    theirs = vectors(30)
    index = ExactIndex(tmp_path)
    index.add(chunks(10), theirs[:10])
    for file in tmp_path.glob("*-1"):
        file.write_bytes(file.read_bytes() + b"half a row")
    (tmp_path / "state.tmp").write_text("half a state")
    again = ExactIndex(tmp_path)
    assert again.count() == 10
    again.add(chunks(20, start=10), theirs[10:])
    for opened in (index, ExactIndex(tmp_path)):
        assert found(opened, theirs[5], 1) == ["id5"]
    assert found(again, theirs[29], 1) == ["id29"]
    again.check()


def test_a_flipped_bit_is_found_by_a_check_and_spoils_no_other_passage(tmp_path: Path) -> None:
    theirs = vectors(50)
    ExactIndex(tmp_path).add(chunks(50), theirs)
    file = tmp_path / "rows-1"
    whole = bytearray(file.read_bytes())
    whole[64 + 3] = 0x7F  # the exponent of the first row's first number: it is vast now, or none at all
    file.write_bytes(whole)
    index = ExactIndex(tmp_path)
    assert {*found(index, theirs[7], 49)} == {f"id{i}" for i in range(1, 50)}
    with pytest.raises(StoreError, match="rows-1 is damaged: `rag rebuild`"):
        index.check()


def test_equally_near_ones_come_in_the_order_of_their_ids_whatever_their_history(tmp_path: Path) -> None:
    index, (vector,) = ExactIndex(tmp_path), vectors(1)
    index.add(chunks(9), [vector] * 9)
    index.delete(["id3"])
    index.add(chunks(1, start=3), [vector])
    assert found(index, vector, 4) == ["id0", "id1", "id2", "id3"]


def test_a_vector_of_another_dimension_is_a_store_error(tmp_path: Path) -> None:
    index = ExactIndex(tmp_path)
    index.add(chunks(1), vectors(1))
    with pytest.raises(StoreError, match="dimension 4 cannot stand among those of dimension 8"):
        index.add(chunks(1, start=1), vectors(1, dimension=4))
    with pytest.raises(StoreError, match="dimension 4 was asked for among those of dimension 8"):
        index.search(vectors(1, dimension=4)[0], 3)


def test_lengths_do_not_matter_and_a_vector_of_nothing_is_near_to_none(tmp_path: Path) -> None:
    index, theirs = ExactIndex(tmp_path), [np.float32(7) * v for v in vectors(3)]
    index.add(chunks(4), [*theirs, np.zeros(8, np.float32)])
    (hit,) = index.search(theirs[1] * 100, 1)
    assert hit.id == "id1"
    assert hit.score == pytest.approx(1, abs=1e-6)
    assert {hit.id: hit.score for hit in index.search(theirs[0], 9)}["id3"] == 0


# --- filters --------------------------------------------------------------------------------------


def of_teams(count: int) -> list[Chunk]:
    return [
        replace(chunk, metadata={"team": f"t{i % 7}", "year": 2000 + i % 3, "all": ("x", i)})
        for i, chunk in enumerate(chunks(count))
    ]


@pytest.mark.parametrize(
    "where",
    [
        {"team": "t3"},
        {"team": ["t1", "t2"], "year": 2001},
        {"all": 17},
        {"all": "x", "page": 2},
        {"source": ["5.md", "6.md", "nowhere.md"]},
        {"team": [*(f"t{i}" for i in range(3, 10_000))]},
        {"team": "t3", "year": [*range(1000, 2001)]},
        {"team": "nobody"},
        {"nothing": "t1"},
    ],
)
def test_a_filter_finds_the_true_nearest_of_what_it_keeps(
    tmp_path: Path, where: dict[str, str | int | list[str | int]]
) -> None:
    many, theirs = of_teams(2000), vectors(2000)
    index = ExactIndex(tmp_path)
    index.add(many, theirs)
    index.delete([f"id{i}" for i in range(0, 2000, 5)])
    kept = {
        chunk.id: vector
        for i, (chunk, vector) in enumerate(zip(many, theirs, strict=True))
        if i % 5 and all(kept_by(chunk, key, value) for key, value in where.items())
    }
    (question,) = vectors(1)
    assert found(index, question, 50, Where.of(where)) == nearest(kept, question, 50)


def kept_by(chunk: Chunk, key: str, value: str | int | Sequence[str | int]) -> bool:
    held = {**chunk.metadata, "page": chunk.page, "source": chunk.source}.get(key)
    wanted = {value} if isinstance(value, str | int) else {*value}
    return bool(wanted & ({*held} if isinstance(held, tuple) else {held}))


# --- beside Chroma --------------------------------------------------------------------------------


def test_an_opening_shows_what_any_other_opening_has_written_before_it(tmp_path: Path) -> None:
    first, theirs = EmbeddedStoreSettings(path=tmp_path).build().open("family", 1), vectors(30)
    first.add(chunks(5), theirs[:5])
    second = EmbeddedStoreSettings(path=tmp_path).build().open("family", 1)
    second.add(chunks(25, start=5), theirs[5:])
    third = EmbeddedStoreSettings(path=tmp_path).build().open("family", 1)
    assert (first.count(), third.count()) == (5, 30)
    assert [third.search(vector, 1)[0].id for vector in theirs] == [f"id{i}" for i in range(30)]


def test_who_only_asks_never_opens_chroma(tmp_path: Path) -> None:
    store = EmbeddedStoreSettings(path=tmp_path).build()
    store.open("family", 1).add(chunks(5), vectors(5))
    (tmp_path / "chroma").rename(tmp_path / "elsewhere")
    assert len(store.open("family", 1).search(vectors(1)[0], 5)) == 5
    assert not (tmp_path / "chroma").exists()
