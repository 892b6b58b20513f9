"""A backup is whole whatever is written meanwhile, and brings back the index that it was made of."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

from rag import InputError, Rag, Settings
from rag.errors import StoreError
from rag.index.catalog import CATALOG

QUESTION = "Where is the spare fuse?"


def opened(folder: Path) -> Rag:
    return Rag(Settings(store={"path": folder}))  # type: ignore[arg-type]  # pydantic validates


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "fuses.md").write_text("The spare fuse is kept in the red drawer.\n")
    (folder / "soup.md").write_text("Soup is served at seven in the evening.\n")
    return folder


@pytest.fixture
def rag(tmp_path: Path, notes: Path) -> Rag:
    rag = opened(tmp_path / "index")
    rag.ingest(notes)
    return rag


def test_what_is_restored_answers_as_before_and_nothing_is_encoded(
    rag: Rag, notes: Path, tmp_path: Path
) -> None:
    before = rag.ask(QUESTION)
    rag.feedback(before, good=True)
    made = rag.backup(tmp_path / "kept.zip")
    assert (made.documents, made.chunks) == (2, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "kept.zip", "notes"]
    again = opened(tmp_path / "elsewhere")
    assert again.restore(tmp_path / "kept.zip") == 2
    assert again.ask(QUESTION).text == before.text
    assert [given.question for given in again.given_feedback()] == [QUESTION]
    assert again.ingest(notes).embedded == 0


def test_a_backup_takes_no_part_of_what_is_written_meanwhile(rag: Rag, notes: Path, tmp_path: Path) -> None:
    """The files of an index, copied one by one, would lack the log; a backup is of one moment."""

    def write() -> None:
        for number in range(5):
            (notes / f"{number}.md").write_text(f"Note {number} says that the pump has {number} valves.\n")
            opened(tmp_path / "index").ingest(notes)

    writer = Thread(target=write)
    writer.start()
    for number in range(5):
        made = rag.backup(tmp_path / f"{number}.zip")
        assert made.documents == made.chunks >= 2
    writer.join()


def test_a_restored_catalog_is_noticed_by_who_has_the_index_open(
    rag: Rag, notes: Path, tmp_path: Path
) -> None:
    rag.backup(tmp_path / "kept.zip")
    (notes / "fuses.md").write_text("The spare fuse is kept in the blue box.\n")
    rag.ingest(notes)
    reader = opened(tmp_path / "index")
    assert "blue box" in reader.ask(QUESTION).text
    rag.restore(tmp_path / "kept.zip", replace=True)
    assert "red drawer" in reader.ask(QUESTION).text


def test_a_catalog_that_is_gone_is_told_and_not_taken_for_an_empty_one(rag: Rag, tmp_path: Path) -> None:
    assert rag.ask(QUESTION).found
    for file in (tmp_path / "index").glob("catalog.sqlite*"):
        file.unlink()
    with pytest.raises(StoreError, match="is gone: `rag restore`"):
        rag.ask(QUESTION)


def test_documents_are_not_replaced_unasked(rag: Rag, tmp_path: Path) -> None:
    rag.backup(tmp_path / "kept.zip")
    with pytest.raises(InputError, match="holds 2 documents: --replace"):
        rag.restore(tmp_path / "kept.zip")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _foreign(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no catalog")


def _flipped(path: Path) -> None:
    """A good archive of a catalog with damaged pages."""
    with ZipFile(path) as archive:
        content = bytearray(archive.read(CATALOG))
    content[4096 : len(content) // 2] = bytes(len(content) // 2 - 4096)
    with ZipFile(path, "w") as archive:
        archive.writestr(CATALOG, bytes(content))


@pytest.mark.parametrize("damage", [_cut, _foreign, _flipped, lambda path: path.write_bytes(b"")])
def test_a_damaged_backup_leaves_the_index_as_it_is(rag: Rag, tmp_path: Path, damage: object) -> None:
    kept = tmp_path / "kept.zip"
    rag.backup(kept)
    damage(kept)  # type: ignore[operator]
    with pytest.raises((InputError, StoreError)):
        rag.restore(kept, replace=True)
    assert rag.ask(QUESTION).found
    assert not list((tmp_path / "index").glob("*.tmp"))


def test_a_restoring_that_was_killed_before_the_rebuild_is_told(rag: Rag, tmp_path: Path) -> None:
    """The derived indexes of before do not pass for the restored catalog's."""
    kept = tmp_path / "kept.zip"
    rag.backup(kept)
    with ZipFile(kept) as archive:
        archive.extract(CATALOG, tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "index", copy)
    from rag.index.backup import restore

    restore(kept, copy, copy / "feedback.jsonl", replace=True)
    with pytest.raises(StoreError, match="run `rag rebuild`"):
        opened(copy).ask(QUESTION)
    opened(copy).rebuild()
    assert opened(copy).ask(QUESTION).found
    assert sqlite3.connect(copy / CATALOG).execute("PRAGMA integrity_check").fetchone() == ("ok",)
