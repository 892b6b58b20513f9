"""One index, one set of settings: what is refused, and how a rebuild makes it fit or whole again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fakes import WordEmbedder
from support.shelf import Opened, Shelf

from rag.chunkers.structure import StructureSettings
from rag.chunkers.whole import WholeSettings
from rag.errors import StoreError
from rag.index.fingerprint import fingerprint
from rag.protocols import VectorIndex
from rag.stores.chroma import ChromaStore
from rag.stores.chroma_folder import Folder
from rag.stores.exact import ExactIndex
from rag.types import PassageVectors

WORDS = ("lens", "lamp", "gear", "dish")
TEXT = "# Dome\n\n" + "\n\n".join(
    f"The {word} stands in the {word} house, and nobody moves it before the night ends." for word in WORDS
)


def embedder(**card: object) -> WordEmbedder:
    made = WordEmbedder(dimension=16)
    made.card = replace(made.card, **card)  # type: ignore[arg-type]  # the fields of a card
    return made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.write("docs/a.md", TEXT)
    shelf.write("docs/b.md", TEXT.replace("Dome", "Tower"))
    shelf.ingest()
    shelf.embedded()
    return shelf


def derived(opened: Opened) -> tuple[int, int]:
    generation = opened.index.current()
    return generation.vectors.count(), generation.lexical.count()


# --- what is refused ------------------------------------------------------------------------------

OTHER_EMBEDDERS: dict[str, dict[str, Any]] = {
    "model": {"name": "other words"},
    "revision": {"revision": "2"},
    "dimension": {"dimension": 32},
    "question prompt": {"question_prompt": "query: "},
    "passage prompt": {"passage_prompt": "passage: "},
    "window": {"window": 64},
    "token bits": {"tokens": False},
}
OTHER_CHUNKERS: dict[str, StructureSettings | WholeSettings] = {
    "chunk size": StructureSettings(tokens=30),
    "overlap": StructureSettings(tokens=24, overlap=4),
    "headings": StructureSettings(tokens=24, headings=False),
    "heading budget": StructureSettings(tokens=24, heading_tokens=5),
    "kind": WholeSettings(kind="whole"),
}


def other(shelf: Shelf, what: str) -> Opened:
    made = embedder(**OTHER_EMBEDDERS.get(what, {}))
    return shelf.open(made, OTHER_CHUNKERS.get(what, StructureSettings(tokens=24)).build(made))


@pytest.mark.parametrize("what", [*OTHER_EMBEDDERS, *OTHER_CHUNKERS])
def test_an_index_made_with_another_setting_is_refused_with_the_command_that_helps(
    shelf: Shelf, what: str
) -> None:
    opened = other(shelf, what)
    before = shelf.rows("chunks")
    for attempt in (opened.check, opened.ingest, opened.rebuild):
        with pytest.raises(StoreError, match="`rag rebuild --embed`"):
            attempt()
    assert shelf.rows("chunks") == before
    shelf.open().check()


@pytest.mark.parametrize("what", ["model", "passage prompt", "chunk size", "kind"])
def test_a_rebuild_with_embed_makes_the_index_fit_the_settings(shelf: Shelf, what: str) -> None:
    opened = other(shelf, what)
    opened.rebuild(embed=True)
    opened.check()
    fresh = Shelf(shelf.root / "fresh")
    fresh.write("docs/a.md", TEXT)
    fresh.write("docs/b.md", TEXT.replace("Dome", "Tower"))
    other(fresh, what).ingest()
    for table in ("documents", "chunks", "embeddings", "files"):
        assert shelf.rows(table) == fresh.rows(table)
    assert opened.ingest().unchanged == 2
    with pytest.raises(StoreError, match="`rag rebuild --embed`"):
        shelf.open().check()


def test_a_reader_notices_that_another_has_rebuilt_the_index_with_other_settings(shelf: Shelf) -> None:
    reader = shelf.open()
    reader.index.expect(fingerprint(reader.embedder.card, reader.chunker))
    assert reader.texts("lamp")
    other(shelf, "passage prompt").rebuild(embed=True)
    with pytest.raises(StoreError, match="built with other settings"):
        reader.texts("lamp")


def test_a_rebuild_with_embed_can_change_the_dimension(shelf: Shelf) -> None:
    made = WordEmbedder(dimension=32)
    opened = shelf.open(made)
    opened.rebuild(embed=True)
    assert len(opened.retrieve("lamp")) == derived(opened)[0]


def test_a_rebuild_with_embed_goes_on_where_it_stopped_and_the_old_index_answers_meanwhile(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ingest._SAVE_EVERY", 2)

    class Tired(WordEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
            if len(self.encoded) >= 4:
                raise ConnectionError
            return super().embed_passages(texts)

    tired, whole = Tired(16, "other"), WordEmbedder(16, "other")
    expected = shelf.open().texts("lamp")
    with pytest.raises(ConnectionError):
        shelf.open(tired).rebuild(embed=True)
    old = shelf.open()
    old.check()
    assert old.texts("lamp") == expected

    shelf.open(whole).rebuild(embed=True)
    assert len(tired.encoded) == 4
    assert len({*tired.encoded, *whole.encoded}) == len(shelf.rows("embeddings"))
    assert not {*tired.encoded} & {*whole.encoded}
    shelf.open(whole).check()


# --- what is lost ---------------------------------------------------------------------------------


def test_a_lost_lexical_folder_is_told_of_and_a_rebuild_makes_it_whole_without_one_embedding(
    shelf: Shelf,
) -> None:
    expected = shelf.open().texts("lamp")
    shutil.rmtree(shelf.folder / "lexical")
    with pytest.raises(StoreError, match="`rag rebuild`"):
        shelf.open().check()
    opened = shelf.open()
    chunks = opened.rebuild()
    assert shelf.embedded() == []
    opened.check()
    assert derived(opened) == (chunks, chunks)
    assert shelf.open().texts("lamp") == expected


@pytest.mark.parametrize("lost", ["chroma", "vectors", "both"])
def test_a_lost_folder_of_vectors_changes_no_answer_and_the_next_ingest_fills_it(
    shelf: Shelf, lost: str
) -> None:
    expected = shelf.open().texts("lamp", "dense")
    for name in ("chroma", "vectors") if lost == "both" else (lost,):
        shutil.rmtree(shelf.folder / name)
    opened = shelf.open()
    opened.check()
    assert opened.texts("lamp", "dense") == expected
    shelf.write("docs/c.md", "A door.")
    shelf.ingest()
    after = shelf.open()
    assert shelf.embedded() == ["A door."]
    assert sorted(after.texts("lamp", "dense")) == sorted([*expected, "A door."])
    chunks = len(shelf.rows("chunks"))
    assert [part.count() for part in parts_of(after)] == [chunks, chunks]


def parts_of(opened: Opened) -> tuple[VectorIndex, ExactIndex]:
    """Chroma and the rows beside it, as a writer has them before it mends anything."""
    generation = opened.index.catalog.generation()
    family, folder = opened.index.catalog.identity(), opened.index.folder
    chroma = ChromaStore("rag", Folder(folder / "chroma"), documents=False)
    return chroma.open(family, generation), ExactIndex(folder / "vectors" / f"{family}-{generation}")


def test_a_damaged_lexical_index_is_told_of_and_a_rebuild_makes_it_anew(shelf: Shelf) -> None:
    for file in (shelf.folder / "lexical").rglob("meta.json"):
        file.write_text("{")
    with pytest.raises(StoreError, match="`rag rebuild`"):
        shelf.open().check()
    shelf.open().rebuild()
    shelf.open().check()


def test_a_damaged_chroma_folder_is_told_of_where_it_is_written_to_and_nobody_misses_it_before(
    shelf: Shelf,
) -> None:
    expected = shelf.open().texts("lamp")
    (shelf.folder / "chroma" / "chroma.sqlite3").write_bytes(b"not a database at all" * 100)
    opened = shelf.open()
    opened.check()
    assert opened.texts("lamp") == expected
    shelf.write("docs/c.md", "A door.")
    with pytest.raises(StoreError, match=r"Chroma's files .* are damaged\. `rag rebuild`"):
        opened.ingest()
    chunks = shelf.open().rebuild()
    assert not list(shelf.folder.glob("*.damaged"))
    assert shelf.ingest().new == 1
    assert derived(shelf.open()) == (chunks + 1, chunks + 1)


@pytest.mark.parametrize("name", ["state", "rows-1", "tags-1"])
def test_rows_that_are_damaged_are_made_anew_from_the_catalog(shelf: Shelf, name: str) -> None:
    expected = shelf.open().texts("lamp", "dense")
    (file,) = (shelf.folder / "vectors").glob(f"*/{name}")
    file.write_bytes(file.read_bytes()[:-20])
    opened = shelf.open()
    opened.check()
    assert opened.texts("lamp", "dense") == expected
    shelf.write("docs/c.md", "A door.")
    shelf.ingest()
    assert shelf.embedded() == ["A door."]
    assert sorted(shelf.open().texts("lamp", "dense")) == sorted([*expected, "A door."])
    parts_of(shelf.open())[1].check()


def test_a_deleted_catalog_starts_an_empty_index_that_nothing_of_the_old_one_reaches(shelf: Shelf) -> None:
    for file in shelf.folder.glob("catalog.sqlite*"):
        file.unlink()
    opened = shelf.open()
    opened.check()
    assert derived(opened) == (0, 0)
    assert opened.texts("lamp") == []
    report = opened.ingest()
    assert report.new == 2
    assert derived(opened) == (report.chunks, report.chunks)


def test_a_rebuild_keeps_what_an_open_index_answers(shelf: Shelf) -> None:
    opened = shelf.open()
    expected = opened.texts("lamp")
    for _ in range(3):
        opened.rebuild()
        assert opened.texts("lamp") == expected
    assert len([*(shelf.folder / "lexical").iterdir()]) == 1


def test_a_rebuild_of_an_empty_index_is_no_mistake(tmp_path: Path) -> None:
    opened = Shelf(tmp_path).open()
    assert opened.rebuild() == opened.rebuild(embed=True) == 0
    opened.check()
